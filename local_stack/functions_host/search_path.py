"""Working folder and module search path as a Python worker of the real host has them."""

import os
import sys
from pathlib import Path

import local_stack


def own_folder() -> Path:
    """The folder that this host was imported from."""
    return Path(next(iter(local_stack.__path__))).resolve().parent


def become_worker(app_root: Path) -> None:
    """Take on a worker's working folder and module search path.

    The folder this host was imported from leaves the path, for it may hold a ``function_app`` of its own; the loader
    then adds the app root at the end, where the worker puts it. Imports of this package go on to work.
    """
    own = own_folder()
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != own]
    os.environ["AzureWebJobsScriptRoot"] = str(app_root)  # noqa: SIM112 - the host's own spelling
    if app_root.is_dir():
        os.chdir(app_root)
