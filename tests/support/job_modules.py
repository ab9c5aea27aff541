"""Loads the modules of a training job as the VM sees them: side by side in one folder, not as a package."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

TRAINING = Path(__file__).resolve().parents[2] / "training"


@contextmanager
def common_modules(*names: str) -> Iterator[tuple[ModuleType, ...]]:
    """Modules of ``training/common``; the import path is as before afterwards."""
    folder = str(TRAINING / "common")
    sys.path.insert(0, folder)
    try:
        yield tuple(importlib.import_module(name) for name in names)
    finally:
        sys.path.remove(folder)
