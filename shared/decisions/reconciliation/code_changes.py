"""When a change of code leads to a new request for data that were decided on. Pure: time is a value.

"Code" is everything in a fingerprint besides the data: the job's files, its locks and its parameters. A failed
fingerprint is tried again with other code in any case, because that is what a repair is; a judged one only when the
pipeline says ``retrain_on: [data, code]``. A run that is under way is left to end first.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.messages import Outcome, RunRecord
from shared.messages.listings import DecidedListing, ScanState

ASK_EVERY = timedelta(hours=1)  # repeat interval when a request led to no decision

_WAIT_FOR_MENDING = frozenset({Outcome.FAILED, Outcome.ROLLED_BACK})


class CodeStep(StrEnum):
    """What to do about a change of code."""

    ASK = "ask"
    WAIT = "wait"
    LEAVE = "leave"


def has_changed(decided: DecidedListing | None, code: str, scan: ScanState | None, now: datetime) -> bool:
    """Whether the code differs from that of the decided listing, and this change was not handled lately.

    ``code``: the current digest, empty when the job cannot be read. Costs no request.
    """
    if decided is None or not decided.code or not code or decided.code == code:
        return False
    lately = scan is not None and scan.asked_code == code and scan.asked_at is not None
    return not (lately and scan is not None and scan.asked_at is not None and abs(now - scan.asked_at) < ASK_EVERY)


def code_step(last: RunRecord | None, *, on_code: bool) -> CodeStep:
    """What to do, given the run of the last decision; None when there was none.

    ``on_code``: the pipeline retrains on a change of code.
    """
    if last is not None and last.outcome is None:
        return CodeStep.WAIT
    if on_code or (last is not None and last.outcome in _WAIT_FOR_MENDING):
        return CodeStep.ASK
    return CodeStep.LEAVE


def noted(scan: ScanState, code: str, now: datetime) -> ScanState:
    """The scan state to keep after this change of code was handled."""
    return replace(scan, asked_code=code, asked_at=now)


def with_other_code(scan: ScanState | None, code: str) -> ScanState | None:
    """The scan state after a change of code: a listing that was notified but not decided on may be notified again."""
    if scan is None or not scan.told or not code or scan.code == code:
        return scan
    return replace(scan, told="", told_at=None)
