"""Writing the state folder: whole files at once, readable by their owner only."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any


def private_folder(path: Path) -> Path:
    """Make ``path`` (and its parents) a folder that only we may enter. Raises ``PermissionError`` if it is not ours."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user")
    return path


def write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``text`` in one step; nobody else can read it, not even while it is written."""
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty when there is no such file or it holds something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_object(path: Path, document: object) -> None:
    """Write ``document`` as JSON, see :func:`write_private`."""
    write_private(path, json.dumps(document, indent=2) + "\n")
