"""What the reconciler does about orphaned windows, runs and answers. Pure: time is a value.

An orphan is recovered by doing what its dead owner has left undone. A claim is left alone while its own orchestration
or its owner's is alive, and for a grace period after the last sign of life.
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
from shared.values.texts import shortened

GRACE = timedelta(minutes=1)  # an owner that has not acted on its claim by then counts as dead
GIVE_UP_AFTER = timedelta(hours=24)  # how long something that keeps failing is started again


FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(days=1)  # between tries, each twice as long as the last
MOST_RESUMES = 8  # tries to resume a run whose model serves already


ANSWER_FOR = timedelta(days=7)  # how long an outcome that cannot be sent is tried again


class Liveness(StrEnum):
    """Whether an orchestration will still act. ``NEVER``: there is none of that id, or it was purged."""

    NEVER = "never"
    ALIVE = "alive"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"


_BROKEN_OFF = frozenset({Liveness.FAILED, Liveness.TERMINATED})
# A reason says so in its own words.
_HOSTS_WORDS = re.compile(r"^((Orchestrator|Activity) function '\w+' failed: +)+(TransientError: +)?")

_LIVES = {
    None: Liveness.NEVER,
    "Completed": Liveness.COMPLETED,
    "Failed": Liveness.FAILED,
    "Terminated": Liveness.TERMINATED,
    "Canceled": Liveness.TERMINATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """The Durable client's status of an orchestration.

    ``said``: its output; for one that failed or was terminated, the reason. ``stage``: from its custom status.
    ``deployed``: it is a roll-out that has switched the traffic.
    """

    life: Liveness
    said: str = ""
    stage: Stage | None = None
    deployed: bool = False
    updated_at: datetime | None = None


def liveness_of(runtime_status: str | None) -> Liveness:
    """The liveness for a runtime status. Suspended counts as alive, and so does an unknown status."""
    return _LIVES.get(runtime_status, Liveness.ALIVE)


def within_grace(moment: datetime, now: datetime) -> bool:
    """Whether the moment is within the grace period.

    A moment far in the future is not: it was recorded before the clock was set back.
    """
    return abs(now - moment) <= GRACE


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start the orchestration, in place of an instance that has ended; ``resumed``: its run had trained before."""

    resumed: bool = False


@dataclass(frozen=True, slots=True)
class FinalizeRun:
    """Finalize the run: cancel its training, free its compute, record the outcome with the reason."""

    outcome: Outcome
    reason: str


def owner_is_gone(claimed_at: datetime, owner: InstanceStatus, now: datetime) -> bool:
    """Whether no orchestration will act on a claim of ``owner`` any more."""
    if owner.life is Liveness.ALIVE:
        return False
    return not within_grace(claimed_at, now) and not (owner.updated_at and within_grace(owner.updated_at, now))


def retry_is_due(tries: int, last: datetime | None, now: datetime) -> bool:
    """Whether to try again after ``tries`` tries, the last at ``last``: the pauses grow up to a day.

    The second try does not wait: the first start may have been ended by something else than a failure.
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
    """What to do about an unfinished window whose owner is gone; None: not yet anything.

    ``verdict``: the verdict, if its owner died just after it. ``run``: the run that was claimed for the window; then
    only the verdict is missing, because runs are recovered too. ``trouble``: why its pipeline cannot be read. Data that
    are rejected here are not lost: a later listing that differs from the decided one opens a window again.
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
    """What to do about a run without an outcome; None: leave it alone.

    ``run``'s status must be read after ``owner``'s, since an owner may start its run just before it ends. The record
    must be read after both, because an orchestration records its outcome before it ends.
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
    # A run that only failed to record its outcome may serve already: its steps can be repeated safely.
    if run.stage is Stage.RECORDING and abs(now - request.requested_at) <= GIVE_UP_AFTER:
        return StartAgain(resumed=True)
    stage = f" in stage {run.stage.value}" if run.stage else ""
    failed, why = f"its orchestration failed{stage}", first_line(run.said)
    then = f"{failed}: {why}; correct that and start the run again"
    if not why:
        then = f"{failed} without a reason; read the app's log of that time, then start the run again"
    return FinalizeRun(Outcome.FAILED, then)


def after_roll_outs(
    end: FinalizeRun, run: InstanceStatus, roll_outs: Mapping[str, InstanceStatus], *, can_resume: bool, now: datetime
) -> StartAgain | FinalizeRun | None:
    """What to do about a run that is to be finalized, given its roll-outs by the names of their targets.

    Roll-outs outlive the run. One that is under way is left to end, because only it knows whether it has switched
    traffic yet. Once a target serves the run's model, the run is resumed, so that its true outcome is recorded;
    ``can_resume`` is False when its pipeline is removed and the run carries no plan.
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
    """Whether to send the outcome now. Just after the run's end, its own orchestration still sends it."""
    return record.outcome is not None and not (record.ended_at and within_grace(record.ended_at, now))


def is_given_up(record: RunRecord, now: datetime) -> bool:
    """Whether an answer could not be sent for so long that it is given up."""
    return record.ended_at is not None and now - record.ended_at > ANSWER_FOR


def first_line(text: str) -> str:
    """The first line of what the host says of a failure, shortened to fit a reason; a stack follows it."""
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
