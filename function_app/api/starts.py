"""Start a run or preview it: the request is validated, claimed if it has an Idempotency-Key, admitted, and answered."""

import asyncio
import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from function_app.api import models as m
from function_app.api.handlers import Located
from function_app.api.hub_threads import at_a_hub
from function_app.api.previews import preview_run
from function_app.composition import Services
from function_app.durable_client import start_once, started_with
from function_app.problems import TRY_AGAIN_LATER, RefusedError
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.clients.ledger.keys import digest
from shared.decisions.admission.repeats import effective_parameters
from shared.decisions.explanations.actors import actor_text
from shared.errors import Code, PermanentError
from shared.messages import Actor, AdmissionRequest, Cause, Preview, Verdict
from shared.values.wire import to_text

ADMISSION_SECONDS = 200.0  # the platform cuts answers at 230 s
ADMISSION_POLL_SECONDS = 0.1

_ENDED = frozenset(
    {
        df.OrchestrationRuntimeStatus.Completed,
        df.OrchestrationRuntimeStatus.Failed,
        df.OrchestrationRuntimeStatus.Terminated,
        df.OrchestrationRuntimeStatus.Canceled,
    }
)


async def start_run(
    name: str,
    body: m.RunBody,
    *,
    idempotency_key: str | None,
    actor: Actor,
    services: Services,
    client: df.DurableOrchestrationClient,
) -> Located[m.Accepted] | Preview:
    """Answer a request for a run."""
    key = idempotency_key
    request = admission_request(name, body, actor, key, datetime.now(UTC))
    await asyncio.to_thread(check, services, request)
    if body.dry_run:
        return await at_a_hub(preview, services, request)
    if key is not None and not await asyncio.to_thread(claim, services, request, body, key):
        detail = f"Idempotency-Key {key!r} was used before, for another request; use a new key, or repeat that request"
        raise RefusedError(422, "idempotency_key_reused", detail, field="Idempotency-Key")
    await start_unless_answered(client, request)
    return admission_answer(await admission_of(client, request.requested_by))


def admission_request(pipeline: str, body: m.RunBody, actor: Actor, key: str | None, now: datetime) -> AdmissionRequest:
    """The admission request. All requests with the same key are one requester, who gets one run at most."""
    requester = digest(pipeline, key) if key is not None else uuid.uuid4().hex
    return AdmissionRequest(
        pipeline=pipeline,
        cause=Cause.OPERATOR,
        requested_by=f"http-{requester}",
        requested_at=now,
        parameters=body.parameters,
        force=body.force,
        note=f"asked by {actor_text(actor)}" + (f": {body.reason}" if body.reason else ""),
    )


def check(services: Services, request: AdmissionRequest) -> None:
    """Refuse at once a request that can never be admitted; raises :class:`PermanentError`."""
    pipeline = services.pipelines.get(request.pipeline)
    effective_parameters(pipeline.train.parameters, request.parameters)


def preview(services: Services, request: AdmissionRequest) -> Preview:
    """What the request would lead to now."""
    return preview_run(request, evaluator=services.evaluator, snapshots=services.hubs)


def claim(services: Services, request: AdmissionRequest, body: m.RunBody, key: str) -> bool:
    """Claim the key for this request; False when the key was used for a different one."""
    asked = hashlib.sha256(to_text(body).encode("utf-8")).hexdigest()
    claimed = services.ledger.requests.claim(
        "http",
        digest(request.pipeline, key),
        body_digest=asked,
        instance_id=request.requested_by,
        at=request.requested_at,
    )
    return claimed.body_digest == asked


async def start_unless_answered(client: df.DurableOrchestrationClient, request: AdmissionRequest) -> None:
    """Start the request; also when its first orchestration ended without a run, since nothing has happened yet."""
    instance_id = request.requested_by
    if await start_once(client, REQUEST_RUN, instance_id, request):
        return
    status = await client.get_status(instance_id)
    if status.runtime_status in _ENDED and may_try_again(status.custom_status):
        try:
            await client.start_new(REQUEST_RUN, instance_id, started_with(REQUEST_RUN, instance_id, request))
        except Exception:  # the SDK knows no narrower type
            # A simultaneous repeat of the request may have started it first; any other error is raised.
            if (await client.get_status(instance_id)).runtime_status in _ENDED:
                raise


def may_try_again(said: object) -> bool:
    """Whether a request that ended with this custom status led to no run, and may lead to one now."""
    admission = said.get("admission") if isinstance(said, Mapping) else None
    if not isinstance(admission, Mapping):
        return True
    return admission.get("run_id") is None or admission.get("verdict") == Verdict.QUARANTINED


async def admission_of(client: df.DurableOrchestrationClient, instance_id: str) -> dict[str, Any]:
    """The admission in the custom status of ``request_run``; ``{}`` when it does not appear in time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + ADMISSION_SECONDS
    while loop.time() < ends:
        status = await client.get_status(instance_id)
        if isinstance(status.custom_status, dict):
            return status.custom_status
        if status.runtime_status in _ENDED:
            return {"failed": f"the request ended as {status.runtime_status.value} before it was admitted"}
        await asyncio.sleep(ADMISSION_POLL_SECONDS)
    return {}


def admission_answer(said: dict[str, Any]) -> Located[m.Accepted]:
    """The run that was started or existed already; raises the problem otherwise."""
    if "rejected" in said:
        raise PermanentError(said["reason"], code=said["rejected"])
    if "admission" not in said:
        waited = said.get(
            "failed", f"the data were not listed within {ADMISSION_SECONDS:g} s, and the request continues"
        )
        reason = f"{waited}; look at the pipeline's runs before you ask again"
        raise RefusedError(503, TRY_AGAIN_LATER, reason)
    admission = said["admission"]
    run_id, started = admission["run_id"], admission["start"]
    verdict = Verdict(admission.get("verdict", Verdict.TRAINED))
    if verdict is Verdict.QUARANTINED:
        raise RefusedError(409, "quarantined", admission["reason"])
    if verdict is Verdict.REJECTED:
        raise PermanentError(admission["reason"], code=Code.NO_DATA)
    return Located(
        view=m.Accepted(run_id=run_id, started=started, verdict=verdict, reason=admission["reason"]),
        location=f"/api/runs/{run_id}" if run_id else None,
        begun=started,
    )
