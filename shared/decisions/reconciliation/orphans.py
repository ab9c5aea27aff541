"""What the reconciler does about what it finds. Pure: time is a value.

Adopting means doing what a dead owner has left. A claim is left alone while anybody may still act on it: while its own
orchestration or its owner's is alive, and for a grace period after the last sign of life.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.decisions.admission.run_plan import trained_in
from shared.messages import (
    ArrivalWindow,
    Outcome,
    RunRecord,
    RunRequest,
    Stage,
    Verdict,
    WindowVerdict,
)
from shared.texts import shortened

GRACE = timedelta(minutes=1)  # who claimed something and has not acted on it by then is taken for dead
GIVE_UP_AFTER = timedelta(hours=24)  # so long something that fails again and again is started again


FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(days=1)  # between tries, each twice as long as the last
MOST_RESUMES = 8  # tries of a run that serves already, and still cannot be brought to its end


ANSWER_FOR = timedelta(days=7)  # so long an outcome is sent again and again to who asked for it


class Liveness(StrEnum):
    """Whether an orchestration will still act. ``NEVER``: there is none of that id, or it was purged."""

    NEVER = "never"
    ALIVE = "alive"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"


_BROKEN_OFF = frozenset({Liveness.FAILED, Liveness.TERMINATED})
_HOSTS_WORDS = re.compile(r"^Orchestrator function '\w+' failed: +")  # a reason says so in its own

_LIVES = {
    None: Liveness.NEVER,
    "Completed": Liveness.COMPLETED,
    "Failed": Liveness.FAILED,
    "Terminated": Liveness.TERMINATED,
    "Canceled": Liveness.TERMINATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """What the Durable client says of an orchestration.

    ``said``: its output; for one that failed or was terminated, why. ``stage``: of its custom status. ``deployed``:
    it is a roll-out that has moved the traffic.
    """

    life: Liveness
    said: str = ""
    stage: Stage | None = None
    deployed: bool = False
    updated_at: datetime | None = None


def liveness_of(runtime_status: str | None) -> Liveness:
    """The life behind a runtime status. Suspended is alive, and so is what we have never heard of: leave it alone."""
    return _LIVES.get(runtime_status, Liveness.ALIVE)


def within_grace(moment: datetime, now: datetime) -> bool:
    """Whether the moment is within the grace period.

    One that lies far ahead is not: it was noted before the clock was set back, and must not wait until it comes again.
    """
    return abs(now - moment) <= GRACE


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start the orchestration, in place of one that is there and has ended; ``resumed``: it had trained before."""

    resumed: bool = False


@dataclass(frozen=True, slots=True)
class FinalizeRun:
    """End the run: cancel its training, free its compute, record the outcome with the reason."""

    outcome: Outcome
    reason: str


def owner_is_gone(claimed_at: datetime, owner: InstanceStatus, now: datetime) -> bool:
    """Whether nobody will act on a claim any more that ``owner`` should act on."""
    if owner.life is Liveness.ALIVE:
        return False
    return not within_grace(claimed_at, now) and not (owner.updated_at and within_grace(owner.updated_at, now))


def retry_is_due(tries: int, last: datetime | None, now: datetime) -> bool:
    """Whether to try again what was tried ``tries`` times, the last time at ``last``: the pauses grow to a day.

    The second try does not wait: what was started may have been ended for another reason than that it fails.
    """
    if tries <= 1 or last is None:
        return True
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(tries - 2, 20), LONGEST_PAUSE)
    return abs(now - last) >= pause


def decide_orphaned_window(
    window: ArrivalWindow,
    settling: InstanceStatus,
    *,
    verdict: WindowVerdict | None,
    run: RunRequest | None,
    trouble: str,
    now: datetime,
) -> StartAgain | WindowVerdict | None:
    """What becomes of a window whose owner is gone, but which the ledger still has as unfinished; None: not yet.

    ``verdict``: the verdict, if its owner died just after it. ``run``: what was claimed for the window; then a verdict
    is all that is missing, because runs are adopted too. ``trouble``: why its pipeline cannot be had. What is
    rejected here is not lost: a later listing that was not decided on opens a window again.
    """
    if verdict is not None:
        return verdict
    if run is not None:
        return _verdict(window, Verdict.TRAINED, trained_in(run), run)
    if trouble:
        return _verdict(window, Verdict.REJECTED, trouble)
    if settling.life is Liveness.FAILED and abs(now - window.opened_at) > GIVE_UP_AFTER:
        hours = GIVE_UP_AFTER // timedelta(hours=1)
        reason = f"the data could not be read for {hours} hours; the last error: {first_line(settling.said)}"
        return _verdict(window, Verdict.REJECTED, reason)
    return None if _failed_lately(window, settling, now) else StartAgain()


def _failed_lately(window: ArrivalWindow, settling: InstanceStatus, now: datetime) -> bool:
    """Whether to wait before the settling is tried again: a quarter of the time for which it has been failing."""
    if settling.life is not Liveness.FAILED or settling.updated_at is None:
        return False
    return abs(now - settling.updated_at) < (settling.updated_at - window.opened_at) / 4


def decide_orphaned_run(
    request: RunRequest, run: InstanceStatus, owner: InstanceStatus, *, now: datetime
) -> StartAgain | FinalizeRun | None:
    """What becomes of a run without an outcome; None: it is left alone.

    ``run`` must have been looked at after ``owner``: an owner may start its run with its last breath. The record must
    be read after both, because an orchestration records its outcome before it ends.
    """
    if run.life is Liveness.ALIVE:
        return None
    if run.life is Liveness.NEVER:
        return StartAgain() if owner_is_gone(request.requested_at, owner, now) else None
    if run.life is Liveness.TERMINATED:
        why = first_line(run.said)
        return FinalizeRun(Outcome.CANCELLED, "its orchestration was terminated" + (f": {why}" if why else ""))
    if run.life is Liveness.COMPLETED:
        return FinalizeRun(Outcome.FAILED, "its orchestration ended without recording an outcome; start the run again")
    # A run that only failed to record what became of it may serve already: its steps find what they did before.
    if run.stage is Stage.RECORDING and abs(now - request.requested_at) <= GIVE_UP_AFTER:
        return StartAgain(resumed=True)
    stage = f" in stage {run.stage.value}" if run.stage else ""
    why = first_line(run.said) or "no reason given"
    return FinalizeRun(Outcome.FAILED, f"its orchestration failed{stage}: {why}; correct that and start the run again")


def after_roll_outs(
    end: FinalizeRun, run: InstanceStatus, roll_outs: Mapping[str, InstanceStatus], *, can_resume: bool, now: datetime
) -> StartAgain | FinalizeRun | None:
    """What becomes of a run that is to be finalized, given its roll-outs by the names of their targets.

    They outlive the run. One that is under way is left to end, because only it knows whether it has moved traffic yet.
    Once a target serves the run's model, the run is resumed, to be recorded as what it is;
    ``can_resume`` is false when its pipeline is gone, and it does not carry what its steps need.
    """
    lives = {roll_out.life for roll_out in roll_outs.values()}
    just_asked_for = run.stage is Stage.ROLLING_OUT and run.updated_at is not None and within_grace(run.updated_at, now)
    if Liveness.ALIVE in lives or (Liveness.NEVER in lives and just_asked_for):
        return None
    if can_resume and any(roll_out.deployed for roll_out in roll_outs.values()):
        return StartAgain(resumed=True)
    unsure = sorted(
        target for target, roll_out in roll_outs.items() if roll_out.deployed or roll_out.life in _BROKEN_OFF
    )
    if not unsure:
        return end
    return replace(end, reason=f"{end.reason}; check which model serves on {', '.join(unsure)}: it may be this run's")


def finalized_record(record: RunRecord, end: FinalizeRun, stage: Stage | None, now: datetime) -> RunRecord:
    """The record of a run that is finalized now."""
    return replace(
        record,
        outcome=end.outcome,
        reason=end.reason,
        stage=stage or record.stage,
        ended_at=now,
        seconds=round(max(0.0, (now - record.requested_at).total_seconds()), 3),
    )


def outcome_is_due(record: RunRecord, now: datetime) -> bool:
    """Whether those who asked must be told now. Just after a run ended its own orchestration still does it."""
    return record.outcome is not None and not (record.ended_at and within_grace(record.ended_at, now))


def is_given_up(record: RunRecord, now: datetime) -> bool:
    """Whether an answer could not be sent for so long that nobody will be waiting for it any more."""
    return record.ended_at is not None and now - record.ended_at > ANSWER_FOR


def first_line(text: str) -> str:
    """What is fit for a reason: the first line, shortened; what follows in an orchestration's output is a stack."""
    lines = text.strip().splitlines()
    return shortened(_HOSTS_WORDS.sub("", lines[0])) if lines else ""


def _verdict(window: ArrivalWindow, verdict: Verdict, reason: str, run: RunRequest | None = None) -> WindowVerdict:
    return WindowVerdict(
        window_id=window.window_id,
        pipeline=window.pipeline,
        verdict=verdict,
        reason=reason,
        run_id=run.run_id if run else None,
    )
