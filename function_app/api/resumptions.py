"""Resume a run that ended after its training, as a new attempt that takes the training over."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.handlers import Located
from function_app.api.runs import known_run
from function_app.composition import Services
from function_app.durable_client import start_once
from function_app.problems import RefusedError
from shared.decisions.admission.run_plan import delivery_rule_of, targets_of
from shared.decisions.delivery import hand_sentences as said
from shared.decisions.delivery.resuming import has_trained, requester_of, resumed_request, why_not
from shared.decisions.explanations.actors import actor_text
from shared.errors import Code, PermanentError
from shared.messages import Actor, Plan, RunRecord, RunRequest, TrainingPhase, TrainingRef


async def resume_run(
    run_id: str, body: m.HandBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> Located[d.Resumed]:
    """Claim the attempt, then start it. Repeating the request finds the attempt of the first one."""
    record = await known_run(run_id, services)
    before = await asyncio.to_thread(services.ledger.runs.claimed_by, record.pipeline, requester_of(run_id))
    if before is None:
        request = await asyncio.to_thread(_claimed, services, record, actor, body.reason)
    else:
        request = before
    begun = await _start(services, client, request)
    view = d.Resumed(run_id=request.run_id, resumes=run_id, sentence=said.resumed(run_id, request.run_id, begun=begun))
    return Located(view=view, location=f"/api/runs/{request.run_id}", begun=begun)


async def _start(services: Services, client: df.DurableOrchestrationClient, request: RunRequest) -> bool:
    """Start the attempt unless it was ever started; whether it is started now."""
    record = await asyncio.to_thread(services.ledger.runs.run, request.run_id)
    if record is None or record.outcome is not None:
        return False
    return await start_once(client, "retrain_model", request.run_id, request)


def _claimed(services: Services, record: RunRecord, actor: Actor, reason: str) -> RunRequest:
    runs = services.ledger.runs
    old = runs.request(record.run_id)
    if old is None:
        raise RefusedError(409, "not_resumable", said.has_no_request(record.run_id))
    attempts = runs.runs_of(record.pipeline, record.fingerprint)
    trouble = why_not(record, attempts) or _put_aside(services, record)
    if not trouble and not has_trained(record):
        trouble = _untrained(services, old)
    if trouble:
        raise RefusedError(409, "not_resumable", trouble)
    note = f"run {record.run_id} is resumed by {actor_text(actor)}" + (f": {reason}" if reason else "")
    wanted = resumed_request(old, attempts, plan=_plan(services, old), note=note, now=datetime.now(UTC))
    holder = runs.claim_run(wanted)
    if holder != wanted and holder.requested_by != wanted.requested_by:
        raise RefusedError(409, "not_resumable", said.another_attempt(record.run_id, holder.run_id))
    services.ledger.retries.forget(record.run_id)  # it would ask for an attempt that trains
    return holder


def _put_aside(services: Services, record: RunRecord) -> str:
    """Why the fingerprint, or the pipeline, may not be tried; empty when it may."""
    retirement = services.ledger.actions.retirement(record.pipeline)
    if retirement is not None:
        return said.is_retired(retirement)
    quarantine = services.ledger.quarantines.get(record.pipeline, record.fingerprint)
    return said.is_quarantined(quarantine) if quarantine is not None and quarantine.active else ""


def _untrained(services: Services, old: RunRequest) -> str:
    """Why there is no training to take over; empty when there is one. Asks the training service."""
    try:
        status = services.driver.check(TrainingRef(run_id=old.training, pipeline=old.pipeline))
    except PermanentError as error:
        if error.code is not Code.TRAINING_UNKNOWN:
            raise
        return said.never_trained(old.run_id)
    return "" if status.phase is TrainingPhase.COMPLETED else said.not_trained(old.run_id, status.phase.value)


def _plan(services: Services, old: RunRequest) -> Plan:
    """The run's own plan, with what the pipeline's file says of delivery now when it can be read."""
    try:
        pipeline = services.pipelines.get(old.pipeline)
    except PermanentError:
        return old.plan
    return replace(old.plan, delivery=delivery_rule_of(pipeline), targets=targets_of(pipeline))
