"""The paths of blobs in the folder of a run: their own names, or, where a file system has no such path, others.

A name of a blob is any text. It may hold ``..`` or a NUL, begin with a slash, be longer than a path can be, or be a
file where another name needs a folder. Such a name, or only the part of it that is odd, becomes a digest behind a mark,
with its extension kept. Different names always get different paths, none of which leads elsewhere.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

MARK: Final = "~"
"""Begins the parts that are digests; a part of a blob's own name that begins so becomes one too."""

LONGEST_PART: Final = 255  # bytes, on every usual file system of Linux
LONGEST_PATH: Final = 2_000  # bytes; Linux takes 4,096 with the folders before it

_EXTENSION: Final = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")


def paths_of(names: Iterable[str]) -> dict[str, str]:
    """Blob name -> relative path, parts separated by ``/``, for names that each stand once."""
    paths = {name: path_of(name) for name in names}
    folders = {path[:place] for path in paths.values() for place, letter in enumerate(path) if letter == "/"}
    return {name: _beside(name, path) if path in folders else path for name, path in paths.items()}


def path_of(name: str) -> str:
    """The path of a blob's name, if no other name needs a folder in its place."""
    path = "/".join(part_of(part) for part in name.split("/"))
    return path if len(path.encode("utf-8")) <= LONGEST_PATH else _digest("name", name, name)


def part_of(part: str) -> str:
    """The same part of a path if a file system can hold it, else a digest."""
    return part if _is_plain(part) else _digest("part", part, part)


def _is_plain(part: str) -> bool:
    if part in {"", ".", ".."} or part.startswith(MARK):
        return False
    # Surrogates have no bytes; control characters would act on the terminal of who lists the folder.
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) <= 0xDFFF for letter in part):
        return False
    return len(part.encode("utf-8")) <= LONGEST_PART


def _beside(name: str, path: str) -> str:
    """Another path in the same folder."""
    folder, slash, part = path.rpartition("/")
    return folder + slash + _digest("file", name, part)


def _digest(kind: str, text: str, extended: str) -> str:
    """``kind`` keeps digests of different things apart."""
    found = _EXTENSION.search(extended)
    digest = hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{MARK}{digest[:40]}{found[0] if found else ''}"
