"""State folders for tests of the local stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_stack.supervisor import Stack


@contextmanager
def run_folder(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new state folder; nothing of its stack runs and nothing of it lies there afterwards."""
    folder = factory.mktemp("stack") / "state"
    try:
        yield folder
    finally:
        Stack.clean(folder)
