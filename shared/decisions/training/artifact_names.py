"""Check the names of files that a training wrote, before they are used as paths. Pure.

A training script chooses them, and the artifact service keeps any name: ``outputs/model//etc/x`` too. A name is
accepted only if it means the same file on every machine and lies below our folder.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from shared.errors import Code, PermanentError
from shared.values.texts import shortened

MOST_FILES: Final = 5_000
"""Files below a model's folder. Each is a request of its own, and an entry of the image's layer."""

MOST_BYTES: Final = 8 * 1024**3
"""Of all files of a model: the app's own disk and the image's layer hold them once each."""

_LONGEST_NAME: Final = 1_000  # bytes in UTF-8; a blob's name holds 1,024 characters with what stands before it
_LONGEST_PART: Final = 200  # bytes; file systems take 255


def files_below(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Name -> path relative to ``folder``, for every name below it.

    Raises :class:`PermanentError` (training_output_refused) when there are too many, when one could lead elsewhere than
    below a folder of ours, or when two could mean the same file.
    """
    prefix = f"{folder}/"
    found = {name: name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    if len(found) > MOST_FILES:
        raise _refusal(f"{len(found)} files below {prefix}; at most {MOST_FILES} can be delivered")
    for path in found.values():
        if fault := _fault(path):
            raise _refusal(f"a file named {shortened(ascii(path), 200)} below {prefix}, which {fault}; rename it")
    _require_distinct(prefix, found.values())
    return found


def _fault(path: str) -> str:
    """What is wrong with a relative path; empty for nothing."""
    if not path.isprintable() or "\\" in path:
        return "holds a backslash or a character that cannot be printed"
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "is not a plain path below a folder"
    if len(path.encode()) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in parts):
        return f"is longer than {_LONGEST_NAME} bytes, or has a part longer than {_LONGEST_PART}"
    return ""


def _require_distinct(prefix: str, paths: Iterable[str]) -> None:
    """Some file systems take ``A`` for ``a``, and none has a file and a folder of one name."""
    spelled: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts)):
            _note(prefix, folders, "/".join(parts[:end]))
        key = _folded(path)
        if key in spelled:
            raise _refusal(f"files below {prefix} that could be one: {spelled[key]!a} and {path!a}; rename one")
        spelled[key] = path
    for key in spelled.keys() & folders.keys():
        raise _refusal(f"a file and a folder below {prefix} that could be one: {spelled[key]!a}; rename one")


def _note(prefix: str, folders: dict[str, str], folder: str) -> None:
    known = folders.setdefault(_folded(folder), folder)
    if known != folder:
        raise _refusal(f"folders below {prefix} that could be one: {known!a} and {folder!a}; rename one")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def _refusal(what: str) -> PermanentError:
    return PermanentError(f"the training left {what}", code=Code.TRAINING_OUTPUT_REFUSED)
