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
    """A stack in a folder of its own (with a short path: UNIX sockets lie there), prepared for the pipelines."""
    state = Path(tempfile.mkdtemp(prefix="edgetrain-e2e-"))
    try:
        with Stack.start(state, cache=CACHE) as stack:
            prepare(stack.endpoints, pipelines, cache=CACHE, progress=lambda _: None)
            yield stack
    finally:
        Stack.clean(state)
        shutil.rmtree(state, ignore_errors=True)
