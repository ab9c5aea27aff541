"""Troubles of a pipeline: how errors become findings, findings troubles, and when one is new or resolved. Pure.

A reconciler cycle checks several aspects of a pipeline, not always all of them. Its findings replace the stored
troubles of the checked aspects; the others stay. So a trouble lasts exactly as long as it is found.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.decisions.explanations.status_text import utc_text
from shared.errors import Code, PermanentError, TransientError
from shared.formats.size_limits import fitted
from shared.messages import Trouble, TroubleKind
from shared.values.texts import one_line

GONE = "it has no file in pipelines/ any more"
LONGEST_CAUSE = 600  # characters as JSON
MOST_CAUSES = 3  # troubles of one kind; the rest is counted


class Aspect(StrEnum):
    """What a cycle checks."""

    FILE = "file"
    DATA = "data"
    NAMES = "names"
    WINDOWS = "windows"
    TARGETS = "targets"
    ARRIVALS = "arrivals"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check found wrong."""

    kind: TroubleKind
    cause: str


_ASPECTS: Mapping[TroubleKind, Aspect] = {
    TroubleKind.BROKEN_FILE: Aspect.FILE,
    TroubleKind.REMOVED: Aspect.FILE,
    TroubleKind.OVERLAP: Aspect.FILE,
    TroubleKind.NO_DATA: Aspect.DATA,
    TroubleKind.UNREACHABLE: Aspect.DATA,
    TroubleKind.REFUSED: Aspect.DATA,
    TroubleKind.FAULT: Aspect.DATA,
    TroubleKind.UNREADABLE_NAMES: Aspect.NAMES,
    TroubleKind.UNDECIDED: Aspect.WINDOWS,
    TroubleKind.TARGET: Aspect.TARGETS,
    TroubleKind.CHAMPION_LOST: Aspect.TARGETS,
    TroubleKind.OVERDUE: Aspect.ARRIVALS,
}
_REMEDIES: Mapping[TroubleKind, str] = {
    TroubleKind.BROKEN_FILE: "correct the file and deploy the app again; other pipelines are not affected",
    TroubleKind.REMOVED: "if that was intended, do nothing: its history stays readable; otherwise restore the file",
    TroubleKind.OVERLAP: "if that is intended, do nothing; otherwise change data.prefix, data.pattern or data.holdout",
    TroubleKind.NO_DATA: "upload what is missing, or correct the pipeline's file; the app checks again every 2 minutes",
    TroubleKind.UNREACHABLE: "the app checks again every 2 minutes",
    TroubleKind.REFUSED: "correct the setting or the rights that the cause names; the app checks again every 2 minutes",
    TroubleKind.FAULT: "read the app's log of that time; the app checks again every 2 minutes",
    TroubleKind.UNREADABLE_NAMES: "delete these blobs, or upload them under other names",
    TroubleKind.UNDECIDED: "correct what the cause names; the app tries again every 2 minutes, for 24 hours",
    TroubleKind.TARGET: "the app looks again every 2 minutes; the list of targets says what each one serves",
    TroubleKind.OVERDUE: "see whether the data are still made and sent; if they are not expected any more, say so by"
    " expect in the pipeline's file",
    TroubleKind.CHAMPION_LOST: "roll back to the release that should serve, or start a run with force",
}
_CODES: Mapping[Code, TroubleKind] = {
    Code.NO_DATA: TroubleKind.NO_DATA,
    Code.UNREADABLE_NAMES: TroubleKind.UNREADABLE_NAMES,
    Code.BAD_PIPELINE: TroubleKind.BROKEN_FILE,
}
# It trains all the same.
_GOES_ON = frozenset({TroubleKind.OVERLAP, TroubleKind.TARGET, TroubleKind.CHAMPION_LOST, TroubleKind.OVERDUE})
# Their texts come from services, with times and numbers in them: another text is not another trouble.
_ANY_TEXT = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED, TroubleKind.FAULT, TroubleKind.UNDECIDED})


def aspect_of(kind: TroubleKind) -> Aspect:
    """The aspect that a kind of trouble belongs to."""
    return _ASPECTS[kind]


def finding_of(error: Exception) -> Finding:
    """The finding for an error about a pipeline's data."""
    if isinstance(error, PermanentError):
        return Finding(_CODES.get(error.code, TroubleKind.REFUSED), error.reason)
    if isinstance(error, TransientError):
        return Finding(TroubleKind.UNREACHABLE, str(error))
    return Finding(TroubleKind.FAULT, f"the app failed: {type(error).__name__}")


def merge_findings(
    before: Sequence[Trouble], findings: Mapping[Aspect, Iterable[Finding]], now: datetime
) -> tuple[Trouble, ...]:
    """The troubles to store. One that was there before keeps its date; one that was not found again is dropped."""
    found = _bounded(each for part in findings.values() for each in part)
    stays = [trouble for trouble in before if aspect_of(trouble.kind) not in findings]
    return (*stays, *(_dated(each, before, now) for each in found))


def changes(before: Iterable[Trouble], after: Iterable[Trouble]) -> tuple[list[Trouble], list[Trouble]]:
    """The troubles that are new, and those that are resolved."""
    old, new = list(before), list(after)
    return [each for each in new if each not in old], [
        each for each in old if not any(_same(each.kind, each.cause, other) for other in new)
    ]


def blocking_text(troubles: Iterable[Trouble]) -> str:
    """What keeps the pipeline from training now, as the end of a sentence; empty when nothing does."""
    blocking = (each for each in troubles if each.kind not in _GOES_ON)
    return "; ".join(f"since {utc_text(each.since)}: {each.cause}; {each.remedy}" for each in blocking)


def _dated(found: Finding, before: Iterable[Trouble], now: datetime) -> Trouble:
    for known in before:
        if _same(found.kind, found.cause, known):
            return known
    return Trouble(kind=found.kind, cause=found.cause, remedy=_REMEDIES[found.kind], since=now)


def _same(kind: TroubleKind, cause: str, known: Trouble) -> bool:
    return known.kind is kind and (kind in _ANY_TEXT or known.cause == cause)


def _bounded(found: Iterable[Finding]) -> list[Finding]:
    """Few of each kind, each short, so that a pipeline's troubles fit one column of a table."""
    by_kind: dict[TroubleKind, list[str]] = {}
    for each in found:
        by_kind.setdefault(each.kind, []).append(fitted(one_line(each.cause), LONGEST_CAUSE))
    kept: list[Finding] = []
    for kind, causes in by_kind.items():
        different = list(dict.fromkeys(causes))[: 1 if kind in _ANY_TEXT else None]
        more = len(different) - MOST_CAUSES
        kept += [Finding(kind, cause) for cause in different[:MOST_CAUSES]]
        kept += [Finding(kind, f"and {more} more of that kind")] if more > 0 else []
    return kept
