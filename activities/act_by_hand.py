"""The ledger's part of a roll-back and of a retirement: the plans, and what follows once a target was seen to obey."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.decisions.delivery.action_sentences import nothing_there, overtaken, unknown_release, why_put_aside
from shared.decisions.delivery.goals import plan_to, resources_of
from shared.decisions.delivery.rolling_back import serving_run
from shared.decisions.explanations.actors import actor_text
from shared.decisions.promotion.crowning import champion_of
from shared.errors import Code, PermanentError
from shared.messages import (
    Action,
    ActionKind,
    Champion,
    Done,
    FailedAttempt,
    KnownImage,
    PlannedRelease,
    Quarantine,
    RollBackPlan,
    RunRecord,
    ServingPlan,
    TargetState,
)


class Targets(Protocol):
    """Knows what each target should run."""

    def of(self, target: str, pipeline: str) -> TargetState:
        """What is known of a target and a pipeline."""


class Runs(Protocol):
    """Knows the records of runs."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def runs_of(self, pipeline: str, fingerprint: str) -> Sequence[RunRecord]:
        """Every attempt at a fingerprint."""


class Images(Protocol):
    """Knows the image of each run."""

    def of(self, run_id: str) -> KnownImage | None:
        """The image that was built for a run."""


class Champions(Protocol):
    """Keeps the champion of each pipeline."""

    def champion(self, pipeline: str) -> Champion:
        """The current champion."""

    def replace(self, champion: Champion, *, instead_of: str, at: datetime) -> None:
        """Make it the champion in place of that run; nothing when that run is not champion."""


class Quarantines(Protocol):
    """Keeps quarantined fingerprints."""

    def get(self, pipeline: str, fingerprint: str) -> Quarantine | None:
        """The quarantine of a fingerprint, active or lifted."""

    def put(self, quarantine: Quarantine) -> None:
        """Quarantine a fingerprint."""


def image_of(run_id: str, pipeline: str, *, images: Images, runs: Runs) -> str | None:
    """The image of a run of the pipeline, by digest; None when the ledger knows none."""
    built = images.of(run_id)
    if built is not None and built.pipeline == pipeline:
        return built.reference
    record = runs.run(run_id)  # runs from before the ledger kept their images apart
    return record.image if record is not None and record.pipeline == pipeline else None


def plan_roll_back(action: Action, *, desired: Targets, images: Images, runs: Runs) -> RollBackPlan:
    """The plan of a roll-back, and the one before, to return to when it fails.

    The same whenever it is made: also after the target was told, and this answer was lost. Refused (stale_plan) when
    something else serves by now than what was to be taken back: the action may have waited for a delivery.
    """
    known = desired.of(action.target, action.pipeline)
    serves = serving_run(known)
    if known.desired_by != action.action_id and serves != action.bad:
        raise PermanentError(overtaken(action, serves), code=Code.STALE_PLAN)
    to = _release(action.to, action, known, images, runs)
    bad = _release(action.bad, action, known, images, runs)
    before = known.desired if known.desired_by != action.action_id else None
    if before is None:
        before = ServingPlan(
            target=action.target, pipeline=action.pipeline, releases=plan_to(bad, None, known).releases
        )
    return RollBackPlan(plan=plan_to(to, bad, known), before=before)


def conclude_action(action: Action, *, champions: Champions, quarantines: Quarantines, runs: Runs) -> Done:
    """What follows in the ledger; safe to repeat."""
    if action.kind is ActionKind.RETIRE:
        serves = champions.champion(action.pipeline).run_id
        if serves is not None:
            nobody = Champion(pipeline=action.pipeline)
            champions.replace(nobody, instead_of=serves, at=action.asked_at)
        return Done()
    good, bad = runs.run(action.to), runs.run(action.bad)
    if good is not None:
        champions.replace(champion_of(good), instead_of=action.bad, at=action.asked_at)
    if bad is not None:
        _put_aside(action, bad, quarantines, runs)
    return Done()


def _release(run_id: str, action: Action, known: TargetState, images: Images, runs: Runs) -> PlannedRelease:
    wanted = known.desired.release(run_id) if known.desired else None
    if wanted is not None:
        return wanted
    seen = known.seen.release(run_id) if known.seen else None
    image = seen.image if seen else image_of(run_id, action.pipeline, images=images, runs=runs)
    if not run_id:
        raise PermanentError(nothing_there(action.target, action.pipeline), code=Code.UNKNOWN_RELEASE)
    if image is None:
        raise PermanentError(unknown_release(run_id, action.pipeline), code=Code.UNKNOWN_RELEASE)
    if seen is not None and seen.version:
        model, version = seen.model, seen.version
    else:
        record = runs.run(run_id)
        model, version = (record.model or "", record.version or "") if record is not None else ("", "")
    resources = resources_of(run_id, known)
    return PlannedRelease(run_id=run_id, image=image, weight=0, resources=resources, model=model, version=version)


def _put_aside(action: Action, bad: RunRecord, quarantines: Quarantines, runs: Runs) -> None:
    kept = quarantines.get(bad.pipeline, bad.fingerprint)
    if kept is not None and kept.active and kept.rolled_back:
        return
    attempts = runs.runs_of(bad.pipeline, bad.fingerprint)
    reason = why_put_aside(action, actor_text(action.by))
    evidence = FailedAttempt(
        run_id=bad.run_id,
        reason=reason,
        ended_at=action.asked_at,
        attempt=max((run.attempt for run in attempts), default=bad.attempt),
    )
    quarantines.put(
        Quarantine(
            pipeline=bad.pipeline,
            fingerprint=bad.fingerprint,
            snapshot_digest=bad.snapshot_digest,
            since=action.asked_at,
            failures=(evidence,),
            released_attempt=kept.released_attempt if kept is not None else 0,
            rolled_back=True,
        )
    )
