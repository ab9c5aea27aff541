"""Killed at any point and started again, the hub comes to the same end, and its file to the next owner."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.interfaces import HubInUseError

STRIDE = 5  # of about 180 writes; trying every one takes ten seconds
ACTIVITIES = {"side0a", "side0b", "flaky0", "child0", "side1a", "side1b", "flaky1", "child1"}
SIDE_BY_SIDE = 2  # the most activities that run at once, so the most that one kill can interrupt


@pytest.mark.timeout(120)
def test_killed_before_any_write_the_outcome_is_the_same(tmp_path: Path) -> None:
    program = "tests.integration.functions_host.crashing"
    run = subprocess.run(
        [sys.executable, "-m", program, str(tmp_path), str(STRIDE)],
        env={**os.environ, "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    cases = [json.loads(line) for line in run.stdout.splitlines()]

    assert len(cases) > 30
    for case in cases:
        assert case["ends"] == ([0] if case is cases[-1] else [-9, 0]), (case, run.stderr)
        assert case["status"] == "Completed"
        assert case["output"] == [
            *("SIDE0A", "SIDE0B", "FLAKY0", "CHILD0"),
            *("SIDE1A", "SIDE1B", "FLAKY1", "CHILD1"),
            {"by": "client"},
        ]
        assert case["instances"] == [["child0", "Completed"], ["child1", "Completed"], ["story", "Completed"]]
        assert case["left"] == [0, 0, 0]
        runs = Counter(case["journal"])
        assert set(runs) == ACTIVITIES
        assert sum(runs.values()) <= len(ACTIVITIES) + 2 + SIDE_BY_SIDE  # two of them fail once of their own accord


def test_the_lock_holds_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    program = (
        "import sys; from pathlib import Path; from local_stack.functions_host.durable.database import Database\n"
        "Database(Path(sys.argv[1])); print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "mine\n"
        with pytest.raises(HubInUseError, match=f"process {owner.pid}"):
            Database(path)
        owner.kill()
    Database(path).close()
