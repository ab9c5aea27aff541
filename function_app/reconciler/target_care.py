"""What is done for the targets of one pipeline, once they were looked at: decide, act, keep and announce the drift."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from function_app.composition import Services
from shared.decisions.delivery.drift import WAITS, Care, Claim, Step, View, care_for, claim_of
from shared.errors import Code, EdgetrainError, PermanentError
from shared.messages import (
    Champion,
    ReleaseState,
    RunRecord,
    Serving,
    ServingResources,
    TargetEvent,
    TargetEventKind,
    TargetState,
    delivery_of,
)
from shared.orchestration_ids import finalization_id

log = logging.getLogger(__name__)

BY = "reconciler"
"""Stands in the ledger beside a plan that the app itself found again."""
PAUSES = (0.0, 2.0, 3.0, 5.0, 5.0, 10.0)
"""Seconds between the calls by which a target that answers no client is brought to its plan."""
NOT_REACHED, REFUSED = "not reached since ", "cannot be asked: "
"""How what is said of a target begins that could not be looked at."""


@dataclass
class Carer:
    """Decides and acts for the targets of one pipeline, with what the ledger says of it now."""

    services: Services
    pipeline: str
    now: datetime

    def __post_init__(self) -> None:
        ledger = self.services.ledger
        self.champion: Champion = ledger.champions.champion(self.pipeline)
        self.retired = ledger.actions.retirement(self.pipeline) is not None
        unfinished = {found.request.run_id for found in ledger.runs.unfinished(self.pipeline)}
        self._acting = unfinished | {finalization_id(run_id) for run_id in unfinished}
        self._acting |= {each.action_id for each in ledger.actions.unfinished() if each.pipeline == self.pipeline}
        self._records: dict[str, RunRecord | None] = {}
        holders = {lease.run_id for lease in ledger.computes.state(delivery_of(self.pipeline)).holders}
        self._delivering = {holder for holder in holders if not self._has_ended(holder)}

    def care_for(self, state: TargetState, serving: Serving) -> Care:
        """Decide, act, and keep the drift.

        A target moves traffic only to what it has seen healthy, so one plan takes several calls. Where nothing answers
        clients, they are made at once; else with the next cycles.
        """
        care = self._decide(state, serving)
        try:
            self._act(care, state)
        except _OvertakenError:
            return Care(step=Step.LEAVE, drift=state.drift)
        except EdgetrainError as error:
            care = replace(care, step=Step.LEAVE, drift=f"{care.drift}, but that failed: {error}")
        self._keep_drift(care.drift, state, serving)
        if care.step is Step.APPLY and not _answers(serving):
            self._follow_up(state)
        return care

    def _follow_up(self, state: TargetState) -> None:
        """Go on until something answers clients there, for half a minute at most; the next cycle keeps what became."""
        with suppress(_OvertakenError, EdgetrainError):
            for pause in PAUSES:
                time.sleep(pause)
                serving = self.services.targets.open(state.target).observe(state.pipeline)
                now = self.services.ledger.targets.of(state.target, state.pipeline)
                care = self._decide(now, serving)
                if _answers(serving) or care.step is Step.LEAVE:
                    return
                self._act(care, now)

    def _decide(self, state: TargetState, serving: Serving) -> Care:
        busy = state.desired_by in self._acting or state.desired_by in self._delivering
        view = View(
            state=state,
            serving=serving,
            champion=self.champion,
            claims=self._claims(state, serving),
            retired=self.retired,
            busy=f"{state.desired_by} is bringing it to its plan" if busy else "",
        )
        care = care_for(view)
        if self._delivering and care.plan is not None and not _is_desired(care, state):
            # Only what is wanted there already may be done while somebody is about to want something else.
            return Care(step=Step.LEAVE, drift=state.drift)
        return care

    def record(self, run_id: str) -> RunRecord | None:
        """The record of a run, read once."""
        if run_id not in self._records:
            self._records[run_id] = self.services.ledger.runs.run(run_id)
        return self._records[run_id]

    def _act(self, care: Care, state: TargetState) -> None:
        if care.plan is None or care.step not in {Step.APPLY, Step.ADOPT}:
            return

        def unless(now: TargetState) -> None:
            if now.desired != state.desired:
                raise _OvertakenError

        targets = self.services.ledger.targets
        if not _is_desired(care, state):
            targets.desire(care.plan, by=BY, at=self.now, unless=unless)
        elif targets.of(state.target, state.pipeline).desired != state.desired:
            raise _OvertakenError
        if care.step is not Step.APPLY:
            return
        try:
            self.services.targets.open(state.target).apply(care.plan)
        except PermanentError as error:
            if error.code is not Code.STALE_PLAN:
                raise
            raise _OvertakenError from error

    def _keep_drift(self, drift: str, state: TargetState, serving: Serving) -> None:
        targets = self.services.ledger.targets
        if drift != state.drift:
            targets.note_drift(state.target, state.pipeline, drift)
            where = f"target {state.target}, pipeline {state.pipeline}"
            if drift:
                log.warning("%s: %s", where, drift)
            else:
                log.info("%s: runs again what it should", where)
        # What was told is kept apart: on its way back, a target may start, or not answer, for a while.
        if _is_drift(drift) if not state.told else not drift:
            self._announce(TargetEventKind.DRIFTED if drift else TargetEventKind.MENDED, drift, state, serving)
            targets.note_told(state.target, state.pipeline, told=bool(drift))

    def _announce(self, kind: TargetEventKind, drift: str, state: TargetState, serving: Serving) -> None:
        wanted = max(state.desired.releases, key=lambda each: each.weight, default=None) if state.desired else None
        event = TargetEvent(
            kind=kind,
            occurred_at=self.now,
            target=state.target,
            pipeline=state.pipeline,
            drift=drift or state.drift,
            wanted=wanted.run_id if wanted else None,
            serving=serving.live.run_id if serving.live else None,
        )
        self.services.announcements.publish_target(event)

    def _claims(self, state: TargetState, serving: Serving) -> Mapping[str, Claim]:
        named = {release.run_id for release in serving.releases}
        named |= {release.run_id for release in state.desired.releases} if state.desired else set()
        named |= {self.champion.run_id} if self.champion.run_id else set()
        records = {run_id: record for run_id in named if (record := self.record(run_id)) is not None}
        return {
            run_id: claim_of(record, state.target, self._resources(run_id))
            for run_id, record in records.items()
            if record.pipeline == self.pipeline
        }

    def _resources(self, run_id: str) -> ServingResources:
        request = self.services.ledger.runs.request(run_id)
        return request.plan.delivery.resources if request is not None else ServingResources()

    def _has_ended(self, run_id: str) -> bool:
        record = self.record(run_id)
        return record is not None and record.outcome is not None


def _answers(serving: Serving) -> bool:
    """Whether a healthy release gets traffic."""
    return any(release.weight > 0 and release.state is ReleaseState.HEALTHY for release in serving.releases)


def _is_drift(text: str) -> bool:
    """Whether the target was seen to differ; not when it is on its way, or could not be asked."""
    return bool(text) and not text.endswith(WAITS) and not text.startswith((NOT_REACHED, REFUSED))


class _OvertakenError(Exception):
    """Somebody else acts on the target now."""


def _is_desired(care: Care, state: TargetState) -> bool:
    return (
        care.plan is not None
        and state.desired is not None
        and replace(state.desired, based_on=care.plan.based_on) == care.plan
    )
