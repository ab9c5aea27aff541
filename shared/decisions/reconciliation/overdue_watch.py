"""When the reconciler looks whether a pipeline's data are overdue, and when a gap is another one. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from shared.decisions.arrivals.day_counts import History
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.messages import Expecting, Gap, TroubleKind, Watch

_NOT_SEEN = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED, TroubleKind.FAULT})


def is_due(watch: Watch | None, expecting: Expecting, now: datetime) -> bool:
    """Whether a pipeline has to be looked at: something may be overdue now, or come, or its file says another thing."""
    if watch is None or not watch.backfill.done or watch.expecting != expecting:
        return True
    return watch.gap is not None or now >= watch.next_at


def may_be_raised(findings: Mapping[Aspect, Iterable[Finding]]) -> bool:
    """Whether a gap may be told that was not known before: not while the data cannot be looked at, which is told."""
    return not any(each.kind in _NOT_SEEN for each in findings.get(Aspect.DATA, ()))


def is_the_same_gap(before: Gap | None, after: Gap | None, history: History) -> bool:
    """Whether nothing has come in between."""
    if before is None or after is None:
        return False
    return after.since <= before.since or history.files(before.start, after.start) == 0
