"""What is kept of ended runs for people on the VM to look at: logs, model and evaluations, and never the data."""

import contextlib
import shutil
from pathlib import Path

from site_agent.job import folders
from site_agent.job.engine import Engine
from site_agent.job.run_folder import RunFolder
from site_agent.job.sweep import remove_folder


def keep(folder: RunFolder, kept: Path, run_id: str, *, most: int, engine: Engine) -> None:
    """Move what is kept out of a run's folder; only the newest runs stay. Trouble with it fails nothing.

    Of a folder with more files than it may have, or too deep ones, nothing is kept.
    """
    with contextlib.suppress(OSError):
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = kept / run_id
        folders.remove(target)
        if most:
            target.mkdir(mode=0o700)
            for part in (folder.logs, folder.model, folder.evaluation, folder.champion):
                if part.exists() and folders.usage(part).files <= folders.MOST_FILES:
                    shutil.move(part, target / part.name)
        known = sorted(kept.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in known[: max(0, len(known) - most)]:
            remove_folder(old, engine)
