"""How the files of two manifests differ, over streams of any length. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.formats.manifest import BlobEntry

MOST_NAMES = 20


@dataclass(slots=True, kw_only=True)
class Differences:
    """Numbers of files, and the first names of each kind."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    first_added: list[str] = field(default_factory=list)
    first_removed: list[str] = field(default_factory=list)
    first_changed: list[str] = field(default_factory=list)


def differences(left: Iterable[BlobEntry], right: Iterable[BlobEntry]) -> Differences:
    """What ``right`` has and ``left`` has not, and so on. Both are in order of their names, as manifests are.

    Files with the same name and content are the same, whenever they were written.
    """
    found = Differences()
    ours, theirs = iter(left), iter(right)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.name < other.name):
            assert one is not None  # noqa: S101 - for the type checker
            found.removed += 1
            _note(found.first_removed, one)
            one = next(ours, None)
        elif one is None or other.name < one.name:
            found.added += 1
            _note(found.first_added, other)
            other = next(theirs, None)
        else:
            if one.content != other.content:
                found.changed += 1
                _note(found.first_changed, other)
            one, other = next(ours, None), next(theirs, None)
    return found


def _note(names: list[str], entry: BlobEntry) -> None:
    if len(names) < MOST_NAMES:
        names.append(entry.name)
