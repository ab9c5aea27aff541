"""What a run moves over the network, and the memory that it takes to move much.

The bytes are counted between the job and the hub, not by the job. Each measurement of memory is a process of its own
(``python -m benchmarks.inputs ...``). Large blobs are uploaded once and kept in the cache.
"""

import argparse
import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from azure.core.exceptions import ResourceExistsError

from benchmarks import peaks
from benchmarks.report import Row
from shared.formats.manifest import CONTAINER as MANIFESTS
from site_agent.job.cache import Cache
from site_agent.job.hub import HubReader, load_site
from site_agent.job.inputs import Inputs
from tests.support.azurite import running_azurite
from tests.support.job_inputs import JobHub
from tests.support.spoiled_hub import Answer, SpoiledHub, spoiled_hub

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".local" / "cache"
STORE = KEPT / "benchmark-inputs"
FILES = 1_000
FILE_BYTES = 20_000
NEW = "landing/new.csv"
BLOBS = 8  # as many as are transferred side by side
LITTLE, MUCH = 8_000_000, 128_000_000  # bytes of each
HUB = "BENCHMARK_HUB"  # the environment variable that describes the hub to a measurement


def run() -> list[Row]:
    """A second run with one new file; then little and much data, each in a process of its own."""
    peaks.check()
    KEPT.mkdir(parents=True, exist_ok=True)
    with running_azurite(STORE, services=["blob"]) as accounts, TemporaryDirectory(dir=KEPT) as home:
        return [_one_new_file(accounts["testaccount"], Path(home)), *_flat_memory(accounts["testaccount"], Path(home))]


def _one_new_file(connection: str, home: Path) -> Row:
    with spoiled_hub(connection) as door:
        hub = JobHub(connection, door.connection_string, f"data-{secrets.token_hex(6)}", home / "files")
        hub.create()
        hub.put({f"landing/{number:04}.csv": secrets.token_bytes(FILE_BYTES) for number in range(FILES - 1)})
        cache = Cache(home / "files" / "cache", 1 << 30)
        with _counted(door) as first:
            began = time.perf_counter()
            inputs = hub.fetch(home / "files" / "first", hub.snapshot(), cache=cache)
            first_seconds = time.perf_counter() - began
        assert first[0] == inputs.bytes_moved == inputs.bytes_total > (FILES - 1) * FILE_BYTES, (
            f"{first[0]} bytes came through the door, {inputs.bytes_moved} say the inputs: one of them does not count"
        )
        hub.put({NEW: secrets.token_bytes(FILE_BYTES)})
        with _counted(door) as second:
            began = time.perf_counter()
            inputs = hub.fetch(home / "files" / "second", hub.snapshot(), cache=cache)
            seconds = time.perf_counter() - began
    assert len(inputs.files) == FILES, f"{len(inputs.files)} files to train on"
    assert (inputs.data / NEW).stat().st_size == FILE_BYTES, "the new file is not there"
    return Row(
        what=f"bytes moved by a second run with one new file among {FILES:,}, against that file",
        ours=f"{second[0]:,} bytes",
        baseline=f"{FILE_BYTES:,} bytes",
        ratio=second[0] / FILE_BYTES,
        goal=1.05,
        remark=f"{seconds:.1f} s, and {first_seconds:.1f} s for the first run; the manifest comes on top",
    )


@contextmanager
def _counted(door: SpoiledHub) -> Iterator[list[int]]:
    """Bytes of blobs, without those of manifests, that the door has let pass."""
    counted = [0]

    def count(path: str, answer: Answer) -> Answer:
        if MANIFESTS not in path:
            counted[0] += len(answer.body)
        return answer

    door.spoil = count
    yield counted


def _flat_memory(connection: str, home: Path) -> list[Row]:
    peak: dict[tuple[str, int], float] = {}
    seconds = 0.0
    for size in (LITTLE, MUCH):
        hub = _filled(connection, home / f"{size} bytes", size)
        for how in ("job", "whole"):
            began = time.perf_counter()
            peak[how, size] = _measure(how, hub, size)
            seconds = time.perf_counter() - began if (how, size) == ("job", MUCH) else seconds
    growth = {how: peak[how, MUCH] - peak[how, LITTLE] for how in ("job", "whole")}
    more = BLOBS * (MUCH - LITTLE) / 1e6
    assert growth["whole"] > 0.9 * more, f"keeping every blob in memory does not show: {peak}"
    return [
        Row(
            what=f"growth of the peak memory of fetching from {BLOBS * LITTLE / 1e6:,.0f} MB to"
            f" {BLOBS * MUCH / 1e6:,.0f} MB of data, against that of keeping them",
            ours=f"{growth['job']:.0f} MB",
            baseline=f"{growth['whole']:.0f} MB",
            ratio=max(growth["job"], 0) / growth["whole"],
            goal=0.1,
            remark=f"{peak['job', MUCH]:.0f} MB at the most, {BLOBS} blobs side by side, in {seconds:.0f} s",
        )
    ]


def _filled(connection: str, home: Path, size: int) -> JobHub:
    """A container with blobs of that size, uploaded unless they are there from an earlier time."""
    hub = JobHub(connection, connection, f"large-{size}", home)
    try:
        hub.create()
    except ResourceExistsError:
        hub.give_credentials(connection)
    missing = {f"landing/{number}.bin" for number in range(BLOBS)} - set(hub.names())
    for done, name in enumerate(sorted(missing), start=1):
        hub.put({name: _content(name, size)})
        print(f"  {done} of {len(missing)} blobs of {size / 1e6:,.0f} MB uploaded", flush=True)
    return hub


def _content(name: str, size: int) -> bytes:
    return hashlib.shake_128(name.encode()).digest(1_000_000) * (size // 1_000_000)


def _measure(how: str, hub: JobHub, size: int) -> float:
    described = {"owner": hub.owner, "vm": hub.vm, "container": hub.container, "home": str(hub.home)}
    command = [sys.executable, "-m", "benchmarks.inputs", how, hub.snapshot().manifest, str(size)]
    environment = os.environ | {HUB: json.dumps(described)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{how} of {hub.container} failed: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout))


def main() -> None:
    """One measurement; prints the peak memory of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inputs", description=main.__doc__)
    parser.add_argument("how", choices=["job", "whole"])
    parser.add_argument("manifest")
    parser.add_argument("size", type=int, help="of each blob")
    options = parser.parse_args()
    described = json.loads(os.environ[HUB])
    hub = JobHub(**(described | {"home": Path(described["home"])}))
    if options.how == "job":
        inputs = hub.fetch(hub.home / "run", options.manifest, cache=Cache(hub.home / "cache", 1 << 40))
        _check_whole(inputs, options.size)
    else:
        reader = HubReader(load_site("factory", hub.sites))
        manifest = reader.manifest(MANIFESTS, options.manifest)
        kept = [b"".join(reader.chunks(manifest.container, blob)) for blob in manifest.blobs]
        assert sum(map(len, kept)) == BLOBS * options.size, "not all of it was read"
    print(json.dumps(peaks.peak_megabytes()))


def _check_whole(inputs: Inputs, size: int) -> None:
    found = [(inputs.data / file.path).stat().st_size for file in inputs.files]
    assert found == [size] * BLOBS, f"files of {found} bytes"
    assert inputs.bytes_moved == inputs.bytes_total, "something was there already"


if __name__ == "__main__":
    main()
