"""A snapshot of many blobs against a bare ``list_blobs`` loop, and how its memory grows with their number.

Each measurement is a process of its own (``python -m benchmarks.snapshots ...``), so that its peak memory is its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import SecretStr

from benchmarks.report import Row
from shared.clients.hub_storage import HubStorage
from shared.pipelines import Pipeline
from shared.settings import HUB_API_VERSION, Site
from tests.support.arrivals import a_pipeline
from tests.support.azurite import running_azurite

ROOT = Path(__file__).resolve().parent.parent
FEW, MANY = 10_000, 100_000
REPETITIONS = 3
CONNECTION = "BENCHMARK_HUB"  # the environment variable that hands the connection string to a measurement
HOLDOUT = "holdout/holdout.csv"


def run() -> list[Row]:
    """Fill two containers, then measure each side in turns; the best of each."""
    with TemporaryDirectory(prefix="snapshots-") as folder, running_azurite(Path(folder), services=["blob"]) as given:
        connection = given["testaccount"]
        for blobs in (FEW, MANY):
            print(f"  uploading {blobs:,} blobs ...", flush=True)
            _fill(connection, _container(blobs), blobs)
        measured = {
            (what, blobs): [_measure(what, blobs, connection) for _ in range(REPETITIONS)]
            for blobs in (FEW, MANY)
            for what in ("snapshot", "listing")
        }
    seconds = {key: min(entry["seconds"] for entry in taken) for key, taken in measured.items()}
    memory = {key: min(entry["megabytes"] for entry in taken) for key, taken in measured.items()}
    return [
        Row(
            what=f"snapshot of {MANY:,} blobs against a bare list_blobs loop",
            ours=f"{seconds['snapshot', MANY]:.2f} s",
            baseline=f"{seconds['listing', MANY]:.2f} s",
            ratio=seconds["snapshot", MANY] / seconds["listing", MANY],
            goal=1.15,
            remark="with its manifest written to the hub",
        ),
        Row(
            what=f"peak memory of a snapshot of {MANY:,} blobs against one of {FEW:,}",
            ours=f"{memory['snapshot', MANY]:.0f} MB",
            baseline=f"{memory['snapshot', FEW]:.0f} MB",
            ratio=memory["snapshot", MANY] / memory["snapshot", FEW],
            goal=1.15,
            remark=f"the process with its SDK; the bare loop takes {memory['listing', MANY]:.0f} MB",
        ),
    ]


def _container(blobs: int) -> str:
    return f"data-{blobs}"


def _pipeline(blobs: int) -> Pipeline:
    return a_pipeline(container=_container(blobs), holdout=HOLDOUT)


@contextmanager
def _client(connection: str, container: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(connection, api_version=HUB_API_VERSION) as service:
        yield service.get_container_client(container)


def _fill(connection: str, container: str, blobs: int) -> None:
    with _client(connection, container) as client, ThreadPoolExecutor(8) as pool:
        client.create_container()
        client.upload_blob(HOLDOUT, b"held out")
        for _ in pool.map(lambda number: client.upload_blob(f"landing/part-{number:07}.csv", b"1,2,3\n"), range(blobs)):
            pass


def _measure(what: str, blobs: int, connection: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.snapshots", what, str(blobs)]
    environment = os.environ | {CONNECTION: connection}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} of {blobs} blobs failed: {done.stderr[-2000:]}")
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def main() -> None:
    """One measurement; prints its seconds and the peak memory of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshots", description=main.__doc__)
    parser.add_argument("what", choices=["snapshot", "listing"])
    parser.add_argument("blobs", type=int)
    options = parser.parse_args()
    connection, pipeline = os.environ[CONNECTION], _pipeline(options.blobs)
    began = time.perf_counter()
    listed = _listed(connection, pipeline) if options.what == "listing" else _snapshot(connection, pipeline)
    seconds = time.perf_counter() - began
    assert listed == options.blobs, f"{listed} blobs instead of {options.blobs}"
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


def _listed(connection: str, pipeline: Pipeline) -> int:
    with _client(connection, pipeline.data.container) as client:
        return sum(1 for _ in client.list_blobs(name_starts_with=pipeline.data.prefix))


def _snapshot(connection: str, pipeline: Pipeline) -> int:
    hub = HubStorage("factory", Site(connection_string=SecretStr(connection)))
    try:
        return hub.take_snapshot(pipeline).blobs
    finally:
        hub.close()


if __name__ == "__main__":
    main()
