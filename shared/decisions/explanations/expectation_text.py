"""What is expected of a pipeline's data, and that they are overdue, as sentences for the data's owner. Pure."""

from datetime import datetime

from shared.decisions.arrivals.forecast import LEAST_WEEKS
from shared.decisions.arrivals.local_days import local
from shared.messages import Basis, Expectation, Gap, Period
from shared.values.texts import counted


def expectation_text(found: Expectation) -> str:
    """What is expected now, what has come, and since when it is overdue."""
    text = _expected_text(found)
    if found.gap is None:
        return text
    return f"{text}; overdue since {local_text(found.gap.since, found.zone)}"


def gap_text(gap: Gap, zone: str) -> str:
    """What did not come; the same text for as long as the gap lasts."""
    by = local_text(gap.by, zone)
    if gap.files == 1:
        return f"a file was expected by {by}, and none has come"
    return f"{gap.files} files were expected by {by}, and fewer have come"


def local_text(moment: datetime, zone: str) -> str:
    """A moment by the clocks of the zone."""
    return f"{local(moment, zone):%Y-%m-%d %H:%M} ({zone})"


def _expected_text(found: Expectation) -> str:
    match found.basis:
        case Basis.OFF:
            return "nothing is expected: the pipeline's file says expect: none"
        case Basis.TOO_NEW:
            return f"there is no forecast yet: {_known_text(found)}, and it takes {LEAST_WEEKS} weeks of history"
    if found.today is None:
        why = ": on this day of the week data come seldom or never" if found.basis is Basis.FORECAST else ""
        return f"nothing is expected today{why}; {counted(found.arrived, 'file')} came"
    by = local_text(found.today.by, found.zone)
    if found.basis is Basis.FILE:
        verb = "is" if found.today.files == 1 else "are"
        return f"{counted(found.today.files, 'file')} {verb} expected by {by}; {_came(found.arrived)}"
    verb = "is" if found.today.usual == 1 else "are"
    return f"{_usual(found.today)} {verb} usual today, the first by {by}; {_came(found.arrived)}"


def _known_text(found: Expectation) -> str:
    if found.first is None:
        return "nothing has come"
    if found.again is not None and found.again > found.first:
        return f"data are waited for again since {local(found.again, found.zone):%Y-%m-%d}"
    return f"data came first on {local(found.first, found.zone):%Y-%m-%d}"


def _usual(period: Period) -> str:
    if period.most is None or period.least == period.most:
        return counted(period.usual, "file")
    return f"{counted(period.usual, 'file')} ({period.least} to {period.most})"


def _came(files: int) -> str:
    return "none has come yet" if files == 0 else f"{counted(files, 'file')} came"
