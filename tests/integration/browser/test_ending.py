"""A browser ends with whoever started it, and leaves no profile."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from local_stack.app_client import deadline
from tests.support import own_run
from tests.support.browser import missing

_RUN = """
import os, tempfile, time
from tests.support import own_run
from tests.support.browser import chromium

with own_run.held(), chromium() as browser, browser.pages() as pages:
    page = pages("data:text/html,<title>open</title>")
    print(tempfile.gettempdir(), flush=True)
    page.wait_for_timeout(600_000)
"""


@pytest.mark.skipif(bool(missing()), reason="no browser: run python -m local_stack.setup --tests")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_neither_process_nor_profile(ending: signal.Signals) -> None:
    # Not in tmp_path: Chromium's socket lies in this folder, and its path has room for few characters.
    outside = Path(tempfile.mkdtemp())
    environment = {name: value for name, value in os.environ.items() if name != own_run.MARK}
    with subprocess.Popen(
        [sys.executable, "-c", _RUN],
        cwd=own_run.ROOT,
        env=environment | {"PYTEST_DEBUG_TEMPROOT": str(outside)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        temporary = Path(running.stdout.readline().strip())
        begun = psutil.Process(running.pid).children(recursive=True)
        assert any("chromium" in each.name() for each in begun)
        assert list(temporary.glob("*profile*"))
        running.send_signal(ending)
        running.wait(timeout=60)
    for _ in deadline(60, "the end of the browser"):
        if not temporary.exists() and not any(each.is_running() for each in begun):
            break
    assert not list(outside.iterdir())
