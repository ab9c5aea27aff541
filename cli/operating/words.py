"""How times, durations, numbers, sizes and states are written on a terminal."""

import math
from datetime import datetime
from typing import Any, Final

from cli.client.answers import Comparison, Run
from cli.operating.blocks import Cell, Tone
from shared.values.texts import counted, shortened

SUCCESSES: Final = frozenset({"promoted", "not_promoted"})
"""Outcomes with which a run has done what it should: a model that is no better does not replace one."""

_TONES: Final = {"promoted": Tone.GOOD, "failed": Tone.BAD, "rolled_back": Tone.BAD, "cancelled": Tone.QUIET}
_APPROVAL: Final = "approval"  # the phase of a roll-out that waits for somebody
_DIGITS: Final = 4
_SHORT_DIGEST: Final = 12
_LONGEST_VALUE: Final = 200


def when(moment: datetime | None) -> str:
    """A time, given in UTC, in the reader's zone, with UTC beside it: ``2026-11-28 14:19:05 CET (13:19:05 UTC)``."""
    if moment is None:
        return ""
    utc, local = moment, _local(moment)
    if not local.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    same_day = local.date() == utc.date()
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({utc:{'%H:%M:%S' if same_day else '%Y-%m-%d %H:%M:%S'}} UTC)"


def when_short(moment: datetime | None) -> str:
    """A time in the reader's zone, to the minute, for a column of :func:`zone`."""
    return "" if moment is None else f"{_local(moment):%Y-%m-%d %H:%M}"


def zone(*moments: datetime | None) -> str:
    """The reader's zone, such as ``CET``, at the first of the times."""
    first = next((moment for moment in moments if moment is not None), None)
    name = _local(first).tzname() if first is not None else None
    return name or "UTC"


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone()
    except (OverflowError, OSError, ValueError):  # a year at the end of the calendar
        return moment


def took(seconds: float) -> str:
    """A duration in its two largest units: ``8 s``, ``2 min 5 s``, ``3 h 10 min``, ``2 d 4 h``."""
    if not math.isfinite(seconds) or seconds < 0:
        return ""
    whole = round(seconds)
    for size, unit, next_size, next_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {unit}" + (f" {rest} {next_unit}" if rest else "")
    return f"{whole} s"


def number(value: float | None) -> str:
    """A number with so many digits as people compare: ``0.0769``, ``1.2e-07``."""
    return "" if value is None else f"{value:.{_DIGITS}g}"


def size(count: int) -> str:
    """A number of bytes: ``512 B``, ``4.1 kB``, ``20 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def digest(text: str) -> str:
    """The beginning of a digest, as much as tells it from others."""
    return text.removeprefix("sha256:")[:_SHORT_DIGEST]


def state(run: Run) -> Cell:
    """The outcome of a run, or the stage that it is in."""
    if run.outcome is None:
        return Cell(run.stage.replace("_", " ") or "under way", Tone.BUSY)
    return outcome(run.outcome)


def outcome(name: str) -> Cell:
    """An outcome in words."""
    return Cell(name.replace("_", " "), _TONES.get(name, Tone.PLAIN))


def interval(found: Comparison) -> str:
    """The difference of two models' losses on the same rows, with its interval."""
    more = f"; about {found.rows_needed} rows would tell" if found.rows_needed else ""
    return (
        f"{number(found.difference)} of loss on {counted(found.rows, 'row')}, {found.level:.0%} interval from"
        f" {number(found.low)} to {number(found.high)} (below zero is better){more}"
    )


def doing(run: Run) -> str:
    """What a run is doing now: its stage, and what its orchestrations say of it."""
    said = run.progress or {}
    parts = [run.stage.replace("_", " ") or "under way"]
    what = said.get("doing") or said.get("phase")
    if isinstance(what, list):
        what = ", ".join(str(each) for each in what)
    parts += [_text(what)] if what else []
    parts += [_text(said["detail"])] if said.get("detail") else []
    if isinstance(said.get("targets"), dict) and said["targets"]:
        parts = [parts[0], "; ".join(f"{_text(name)}: {_text(each)}" for name, each in said["targets"].items())]
    position = said.get("position") or said.get("queue_position")
    if isinstance(position, int):
        parts.append(f"place {position} in the queue")
    if said.get("reason"):
        parts.append(_text(said["reason"]))
    return ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])


def waits_for_approval(run: Run) -> bool:
    """Whether somebody has to decide before the run goes on."""
    roll_outs = (run.progress or {}).get("roll_outs")
    if run.ended or not isinstance(roll_outs, dict):
        return False
    return any(isinstance(each, dict) and each.get("phase") == _APPROVAL for each in roll_outs.values())


def _text(value: Any) -> str:
    return shortened(value, _LONGEST_VALUE)
