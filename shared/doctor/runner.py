"""Run checks side by side, each for so many seconds at most. Whatever a check does, it gives one finding.

A thread cannot be ended from outside: one that takes too long is left to itself and its finding is ``unknown``. Such
threads end with the process, or when what they wait for gives up.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.doctor.checks import Check, Place, Seen, unknown, wrong
from shared.doctor.findings import Finding, Kind, Subject
from shared.doctor.secrecy import Hidden
from shared.errors import EdgetrainError, PermanentError
from shared.values.texts import counted

AT_A_TIME: Final = 16
WITHIN: Final = 120.0
MOST_LEFT: Final = 64
"""Threads of earlier checks that still hang; beyond it no check is begun."""

_THREAD: Final = "doctor-check"


@dataclass(frozen=True, slots=True)
class Look:
    """One check of one subject, ready to run."""

    check: Check[Any]
    subject: Subject
    see: Callable[[], Seen]


def looks(checks: Iterable[Check[Place]], place: Place, subjects: Mapping[Kind, Sequence[str]]) -> list[Look]:
    """Every check for each of the subjects that it is about."""
    return [
        Look(check, Subject(check.about, name), lambda check=check, name=name: check.look(place, name))  # type: ignore[misc]
        for check in checks
        for name in subjects.get(check.about, ())
    ]


def run(
    asked: Sequence[Look], *, at_a_time: int = AT_A_TIME, within: float = WITHIN, hidden: Hidden | None = None
) -> tuple[Finding, ...]:
    """One finding for each look, in the same order, after ``within`` seconds at the latest."""
    round_ = _Round(asked, at_a_time, time.monotonic() + within)
    seen = round_.run()
    safe = hidden or Hidden()
    return tuple(_finding(look, seen[number], safe) for number, look in enumerate(asked))


class _Round:
    """One run of the checks."""

    def __init__(self, asked: Sequence[Look], at_a_time: int, ends: float) -> None:
        self._asked = asked
        self._at_a_time = at_a_time
        self._ends = ends
        self._done: queue.SimpleQueue[tuple[int, Seen]] = queue.SimpleQueue()
        self._under_way: dict[int, float] = {}
        self._seen: dict[int, Seen] = {}

    def run(self) -> dict[int, Seen]:
        waiting = list(range(len(self._asked)))[::-1]
        while waiting or self._under_way:
            while waiting and len(self._under_way) < self._at_a_time:
                self._begin(waiting.pop())
            self._take_one()
        return self._seen

    def _begin(self, number: int) -> None:
        look, now = self._asked[number], time.monotonic()
        if now >= self._ends:
            self._seen[number] = unknown("it was not reached in the time that all checks have together")
            return
        hanging = sum(each.name == _THREAD for each in threading.enumerate()) - len(self._under_way)
        if hanging >= MOST_LEFT:
            self._seen[number] = unknown(f"{counted(hanging, 'earlier check')} of this process still hang")
            return
        done = self._done
        thread = threading.Thread(target=lambda: done.put((number, _seen_by(look))), name=_THREAD, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._seen[number] = unknown("the process cannot have another thread")
            return
        self._under_way[number] = min(now + look.check.seconds, self._ends)

    def _take_one(self) -> None:
        """Take the next result, or give up on what has had its time."""
        if not self._under_way:
            return
        try:
            number, seen = self._done.get(timeout=max(0.0, min(self._under_way.values()) - time.monotonic()))
        except queue.Empty:
            self._give_up()
            return
        if self._under_way.pop(number, None) is not None:  # else it comes after its time
            self._seen[number] = seen

    def _give_up(self) -> None:
        now = time.monotonic()
        for number, ends in list(self._under_way.items()):
            if ends <= now:
                del self._under_way[number]
                given = self._asked[number].check.seconds
                self._seen[number] = unknown(f"no answer within {given:g} s, or in the time that all checks have")


def _seen_by(look: Look) -> Seen:
    try:
        seen = look.see()
    except PermanentError as error:
        return wrong(error.reason)
    except EdgetrainError as error:
        return unknown(str(error))
    except BaseException as error:  # noqa: BLE001 - whatever a check does, the others go on
        # Not its text: that of a foreign error may hold anything.
        return unknown(f"the check itself failed: {type(error).__name__}; please report it")
    if not isinstance(seen, Seen):
        return unknown(f"the check itself failed: it gave {type(seen).__name__}; please report it")
    return seen


def _finding(look: Look, seen: Seen, hidden: Hidden) -> Finding:
    check = look.check
    remedy = seen.remedy or check.remedy if seen.state.needs_remedy else ""
    return Finding(
        check=check.name,
        subject=hidden(look.subject),
        state=seen.state,
        found=hidden(seen.found),
        wanted=hidden(seen.wanted or check.wanted),
        why=check.why,
        remedy=hidden(remedy),
    )
