"""The whole local stack for the end-to-end tests: started once, prepared for pipelines, gone at the end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.prepare import prepare
from local_stack.supervisor import Stack

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".local" / "cache"


@contextmanager
def running_stack(*pipelines: str) -> Iterator[Stack]:
    """A stack in a folder of its own, prepared for the pipelines."""
    with state_folder() as state, Stack.start(state, cache=CACHE) as stack:
        prepare(stack.endpoints, pipelines, cache=CACHE, progress=lambda _: None)
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
