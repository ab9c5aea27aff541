"""When the reconciler looks whether a pipeline's data are overdue, and when a gap is another one. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from shared.decisions.arrivals.day_counts import History
from shared.decisions.arrivals.local_days import ONE_DAY
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.messages import Expecting, Gap, TroubleKind, Watch

_NOT_SEEN = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED, TroubleKind.FAULT})


def is_due(watch: Watch | None, expecting: Expecting, now: datetime) -> bool:
    """Whether a pipeline has to be looked at: something may be overdue now, or come, or its file says another thing."""
    if watch is None or not watch.backfill.done or watch.expecting != expecting:
        return True
    return watch.gap is not None or now >= watch.next_at or watch.near is None


def is_run_out(watch: Watch, now: datetime) -> bool:
    """Whether the periods that are known of a forecast are over, or will be soon: while a gap lasts nobody looks."""
    return watch.near is None or (watch.expecting.every is None and now >= watch.next_at + ONE_DAY)


def may_be_raised(findings: Mapping[Aspect, Iterable[Finding]]) -> bool:
    """Whether a gap may be told that was not known before: not while the data cannot be looked at, which is told."""
    return not any(each.kind in _NOT_SEEN for each in findings.get(Aspect.DATA, ()))


def is_the_same_gap(before: Gap | None, after: Gap | None, history: History) -> bool:
    """Whether nothing has come in between."""
    if before is None or after is None:
        return False
    return after.since <= before.since or history.files(before.start, after.start) == 0
