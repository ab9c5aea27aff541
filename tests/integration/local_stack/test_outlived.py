"""A test whose process is killed leaves nothing of what it began, also what was meant to outlive its caller."""

import subprocess
import sys
from pathlib import Path

from local_stack.app_client import deadline
from tests.support.outlived import ROOT, folder_that_ends_with_us

_TEST = """
import subprocess, time
from tests.support.outlived import folder_that_ends_with_us

with folder_that_ends_with_us("edgetrain-outlived-") as folder:
    child = subprocess.Popen(["sleep", "600"], cwd=folder, start_new_session=True)
    print(folder, child.pid, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_test_began_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", _TEST], cwd=ROOT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        folder, child = test.stdout.readline().split()
        test.kill()

    for _ in deadline(60, "the end of what a killed test began"):
        if not Path(folder).exists():
            break
    assert not Path("/proc", child).exists() or "sleep" not in Path("/proc", child, "cmdline").read_text()


def test_a_test_that_ends_well_waits_until_all_is_gone() -> None:
    with folder_that_ends_with_us("edgetrain-outlived-") as folder:
        child = subprocess.Popen(["sleep", "600"], cwd=folder)
    assert child.wait(timeout=60) != 0
    assert not folder.exists()
