"""A snapshot of many blobs against a bare ``list_blobs`` loop, and how its memory grows with their number.

Each measurement is a process of its own (``python -m benchmarks.snapshots ...``), so that its peak memory is its own.
The storage is filled once and kept in the cache: an upload takes longer than anything that is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import SecretStr

from benchmarks import peaks
from benchmarks.report import Row
from shared.clients.hub_storage import HubStorage
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.pipelines import Pipeline
from shared.settings import HUB_API_VERSION, Site
from tests.support.arrivals import a_pipeline
from tests.support.azurite import running_azurite

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".local" / "cache" / "benchmark-hub"
FEW, MANY = 5_000, 20_000  # a full page of a listing, and four
REPETITIONS = 3
SEEN = 1.3  # who keeps the whole listing must grow by that much more than the bare loop, or the measure sees nothing
CONNECTION = "BENCHMARK_HUB"  # the environment variable that hands the connection string to a measurement
HOLDOUT = "holdout/holdout.csv"
SIDES = ("snapshot", "listing", "hoard")


def run() -> list[Row]:
    """Fill two containers unless they are, then measure each side in turns; the best of each."""
    peaks.check()
    with running_azurite(STORE, services=["blob"]) as given:
        connection = given["testaccount"]
        for blobs in (FEW, MANY):
            _fill(connection, _container(blobs), blobs)
        measured = {
            (what, blobs): [_measure(what, blobs, connection) for _ in range(REPETITIONS)]
            for blobs in (FEW, MANY)
            for what in SIDES
        }
    seconds = {key: min(entry["seconds"] for entry in taken) for key, taken in measured.items()}
    memory = {key: min(entry["megabytes"] for entry in taken) for key, taken in measured.items()}
    growth = {what: memory[what, MANY] - memory[what, FEW] for what in SIDES}
    assert growth["listing"] > 0, f"a bare loop grows by {growth['listing']:.1f} MB: there is nothing to compare with"
    assert growth["hoard"] > SEEN * growth["listing"], f"keeping every blob does not show: {growth}"
    assert seconds["listing", MANY] > 2 * seconds["listing", FEW], "four times the blobs do not take longer to list"
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
            what=f"growth of a snapshot's peak memory from {FEW:,} to {MANY:,} blobs",
            ours=f"{growth['snapshot']:.1f} MB",
            baseline=f"{growth['listing']:.1f} MB",
            ratio=growth["snapshot"] / growth["listing"],
            goal=1.15,
            remark=f"the process with its SDK has {memory['snapshot', MANY]:.0f} MB; a loop that keeps"
            f" what it lists grows by {growth['hoard']:.1f} MB",
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
    """Upload what is not there from an earlier time, and say how far it is."""
    with _client(connection, container) as client, ThreadPoolExecutor(8) as pool:
        try:
            client.create_container()
        except ResourceExistsError:
            pass
        else:
            client.upload_blob(HOLDOUT, b"held out")
        there = set(client.list_blob_names(name_starts_with="landing/"))
        wanted = [name for number in range(blobs) if (name := f"landing/part-{number:07}.csv") not in there]
        uploads = pool.map(lambda name: client.upload_blob(name, b"1,2,3\n", overwrite=True), wanted)
        for done, _ in enumerate(uploads, start=1):
            if done % 1000 == 0 or done == len(wanted):
                print(f"  {container}: {done:,} of {len(wanted):,} blobs uploaded", flush=True)


def _forget_manifests(connection: str) -> None:
    """Of earlier times: what is kept already is not written again, and would be measured as quick for nothing."""
    with _client(connection, MANIFESTS) as client, suppress(ResourceNotFoundError):
        for name in client.list_blob_names():
            client.delete_blob(name)


def _measure(what: str, blobs: int, connection: str) -> dict[str, float]:
    _forget_manifests(connection)
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
    parser.add_argument("what", choices=SIDES)
    parser.add_argument("blobs", type=int)
    options = parser.parse_args()
    connection, pipeline = os.environ[CONNECTION], _pipeline(options.blobs)
    began = time.perf_counter()
    listed = _DOES[options.what](connection, pipeline)
    seconds = time.perf_counter() - began
    assert listed == options.blobs, f"{listed} blobs instead of {options.blobs}"
    print(json.dumps({"seconds": seconds, "megabytes": peaks.peak_megabytes()}))


def _listed(connection: str, pipeline: Pipeline) -> int:
    with _client(connection, pipeline.data.container) as client:
        return sum(1 for _ in client.list_blobs(name_starts_with=pipeline.data.prefix))


def _hoarded(connection: str, pipeline: Pipeline) -> int:
    """What a listing must not do, to see that it would show."""
    with _client(connection, pipeline.data.container) as client:
        return len(list(client.list_blobs(name_starts_with=pipeline.data.prefix)))


def _snapshot(connection: str, pipeline: Pipeline) -> int:
    hub = HubStorage("factory", Site(connection_string=SecretStr(connection)))
    try:
        return hub.take_snapshot(pipeline).blobs
    finally:
        hub.close()


_DOES = {"snapshot": _snapshot, "listing": _listed, "hoard": _hoarded}


if __name__ == "__main__":
    main()
