"""What a container printed, as its engine keeps it: the end of a log in the format of Kubernetes (``k8s-file``)."""

import re
from pathlib import Path
from typing import Final

_TAIL: Final = 64 * 1024  # bytes
_LINE: Final = re.compile(r"\S+ (stdout|stderr) ([FP]) ?(.*)", re.DOTALL)


def last_lines(log: Path) -> list[str]:
    """The last lines that the container printed, on either stream; nothing when there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            text = file.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.split("\n")
    return _joined(lines[1:] if size > _TAIL else lines)  # the first one may be cut


def _joined(lines: list[str]) -> list[str]:
    """The engine marks a part of a longer line with P, and its end with F, for each stream by itself."""
    found: list[str] = []
    parts: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        stream, tag, text = match.groups()
        whole = parts.pop(stream, "") + text
        if tag == "P":
            parts[stream] = whole
        else:
            found.append(whole)
    return found + [part for part in parts.values() if part]
