"""The stage of each registered version of a pipeline's model: candidate, champion or retired. Pure.

The registry cannot change two versions in one step, so what it says is brought in line with the ledger again and again:
whoever was interrupted between two writes left a state from which the next call goes on. Versions leave the stage
``champion`` before another one enters it, so there are never two.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

STAGE, DUPLICATE_OF = "stage", "duplicate_of"
"""The tags of a version. ``duplicate_of``: the version that was registered for the same run before it."""

MOST_CHANGES = 20
"""Versions that are tagged anew at a time; the most urgent first."""


class ModelStage(StrEnum):
    """``CANDIDATE``: its run is not over. ``CHAMPION``: it serves. ``RETIRED``: it does not, or not any more."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version in the registry, and the tags that it carries."""

    name: str
    version: int
    run_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """Give a version these tags; others stay."""

    name: str
    version: int
    tags: Mapping[str, str]


def stage_changes(
    versions: Iterable[ModelVersion], *, champion: str | None, unfinished: Collection[str]
) -> list[TagChange]:
    """What to change, in this order, so that the tags say what the ledger says; empty when they do.

    ``champion``: the run whose model serves; None when none does. ``unfinished``: the pipeline's runs without an
    outcome.
    """
    known = sorted(versions, key=lambda each: (each.name, each.version))
    originals = _originals(known)
    wanted = [(each, _tags(each, originals, champion, unfinished)) for each in known]
    changes = [
        (_urgency(each, tags), TagChange(name=each.name, version=each.version, tags=tags))
        for each, tags in wanted
        if any(each.tags.get(name) != value for name, value in tags.items())
    ]
    return [change for _, change in sorted(changes, key=lambda pair: pair[0])][:MOST_CHANGES]


def doubles(versions: Iterable[ModelVersion]) -> list[TagChange]:
    """Mark every version of a run but its first one as a duplicate."""
    known = list(versions)
    originals = _originals(known)
    return [
        TagChange(name=each.name, version=each.version, tags=_duplicate(originals[each.run_id]))
        for each in known
        if originals[each.run_id] != each.version
    ]


def _originals(versions: Iterable[ModelVersion]) -> dict[str, int]:
    """Run -> the lowest version that was registered for it."""
    first: dict[str, int] = {}
    for each in versions:
        first[each.run_id] = min(each.version, first.get(each.run_id, each.version))
    return first


def _tags(
    each: ModelVersion, originals: Mapping[str, int], champion: str | None, unfinished: Collection[str]
) -> dict[str, str]:
    if originals[each.run_id] != each.version:
        return _duplicate(originals[each.run_id])
    if each.run_id == champion:
        return {STAGE: ModelStage.CHAMPION.value}
    return {STAGE: (ModelStage.CANDIDATE if each.run_id in unfinished else ModelStage.RETIRED).value}


def _duplicate(original: int) -> dict[str, str]:
    return {STAGE: ModelStage.RETIRED.value, DUPLICATE_OF: str(original)}


def _urgency(each: ModelVersion, tags: Mapping[str, str]) -> int:
    """Those that must not be champion first, then the champion, then the rest, the newest first."""
    if each.tags.get(STAGE) == ModelStage.CHAMPION:
        return -(10**9)
    if tags[STAGE] == ModelStage.CHAMPION:
        return -(10**9) + 1
    return -each.version
