"""The whole local stack for the end-to-end tests: started once, prepared for pipelines, gone at the end.

``python -m tests.support.stack`` does just that, so that images and environments are in the cache for all who follow.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.prepare import prepare
from local_stack.site_agent import site_agent
from local_stack.supervisor import Stack
from tests.support.other_verifiers import model_signing_environment

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".local" / "cache"
# The reconciler sees within two minutes what a test lands without an event, and would train it in between. A test of
# the reconciler fires the timer by hand (``AppClient.fire``), which a disabled function still answers.
WATCHED_BY_HAND = {"AzureWebJobs.keep_watch.Disabled": "true"}


@contextmanager
def running_stack(*pipelines: str) -> Iterator[Stack]:
    """A stack in a folder of its own, prepared for the pipelines; the app's webhook has agreed to take events."""
    with state_folder() as state, Stack.start(state, cache=CACHE, app_settings=WATCHED_BY_HAND) as stack:
        prepare(stack.endpoints, pipelines, cache=CACHE, progress=lambda _: None)
        with site_agent(stack.endpoints) as agent:
            agent.subscribe()
        yield stack


@contextmanager
def state_folder() -> Iterator[Path]:
    """A new state folder with a short path, for UNIX sockets lie there; at the end nothing of it runs or is left."""
    state = Path(tempfile.mkdtemp(prefix="edgetrain-e2e-"))
    try:
        yield state
    finally:
        Stack.clean(state)
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    model_signing_environment()
    with running_stack("breast-cancer", "digits", "diabetes", "scans"):
        pass
