"""Folders change hands: the containers' user writes into them, then the job takes them back.

With a rootless engine the containers' user exists in the engine's user namespace only, so it happens there.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from site_agent.job import folders
from site_agent.job.engine import Engine, EngineError

_SECONDS = 600.0


def give(engine: Engine, folder: Path, user: int) -> None:
    """Make a new folder that the containers' user may write into."""
    folders.remove(folder)
    folder.mkdir(mode=0o700, parents=True)
    if engine.rootless:
        _inside(engine, "give", str(user), str(folder))
    else:
        folders.give(folder, user)


def take(engine: Engine, taken: Sequence[Path]) -> None:
    """Own everything in the folders again."""
    if engine.rootless:
        _inside(engine, "take", *map(str, taken))
        return
    for folder in taken:
        folders.take(folder)


def _inside(engine: Engine, *arguments: str) -> None:
    command = [*engine.inside(), sys.executable, "-I", "-m", "site_agent.job", "folder", *arguments]
    try:
        subprocess.run(
            command,
            env=dict(engine.environment),
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"folders cannot be given to the containers' user ({type(error).__name__})") from None
