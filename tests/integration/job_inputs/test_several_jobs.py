"""Jobs that end in the middle, and jobs beside each other, over the same cache and the same hub."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from site_agent.job.cache import Cache
from tests.support.job_inputs import JobHub

BLOBS = {f"landing/{number:02}": bytes([number]) * 10_000 for number in range(40)}

# A job that is killed when it asks the hub, or has received a file; ``point`` counts both.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from tests.support.job_inputs import JobHub

asked, point = 0, int(sys.argv[3])

def count(event, _):
    global asked
    if event in {"http.client.send", "os.rename"}:
        asked += 1
        if asked == point:
            os.kill(os.getpid(), signal.SIGKILL)

hub = JobHub(**(json.loads(sys.argv[1]) | {"home": Path(json.loads(sys.argv[1])["home"])}))
sys.addaudithook(count)
hub.fetch(hub.home / "killed", sys.argv[2])
"""


@pytest.mark.parametrize("point", [1, 40, 80])
def test_after_a_kill_only_the_rest_is_moved(hub: JobHub, tmp_path: Path, point: int) -> None:
    hub.put(BLOBS)
    manifest = hub.snapshot().manifest
    described = {"owner": hub.owner, "vm": hub.vm, "container": hub.container, "home": str(hub.home)}
    command = [sys.executable, "-c", PROGRAM, json.dumps(described), manifest, str(point)]

    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr[-2000:]
    kept = Cache(tmp_path / "cache", 1 << 30).used()
    inputs = hub.fetch(tmp_path / "run", manifest)

    assert {file.name: (inputs.data / file.path).read_bytes() for file in inputs.files} == BLOBS
    assert inputs.bytes_moved == inputs.bytes_total - kept
    assert (kept > 0) == (point > 1)
    assert list((tmp_path / "cache/sessions").iterdir()) == []


@pytest.mark.parametrize("most", [1 << 30, 100_000], ids=["room for all", "room for some"])
def test_jobs_at_once_all_get_their_data(hub: JobHub, tmp_path: Path, most: int) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()

    def run(number: int) -> None:
        inputs = hub.fetch(tmp_path / f"run {number}", snapshot, cache=Cache(tmp_path / "cache", most))
        assert {file.name: (inputs.data / file.path).read_bytes() for file in inputs.files} == BLOBS

    with ThreadPoolExecutor(3) as jobs:
        list(jobs.map(run, range(3)))

    cache = Cache(tmp_path / "cache", most)
    assert 0 < cache.used() <= most
    assert list(cache.sessions.iterdir()) == []
