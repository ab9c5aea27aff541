"""The operator's HTTP API: start a run, see runs and pipelines. Errors are problem documents (RFC 9457)."""

import asyncio
import json
import logging
import math
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.problems import answer, problem, problem_of
from function_app.services import Services
from function_app.starting import start_once
from function_app.views import pipeline_view, run_view
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.decisions.admission import effective_parameters
from shared.errors import Code, PermanentError, TransientError
from shared.messages import AdmissionRequest, Cause, Parameters

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[func.HttpResponse]]

ADMISSION_SECONDS = 200.0  # the platform cuts answers at 230 s
ADMISSION_POLL_SECONDS = 0.1


def blueprint(services: Services) -> df.Blueprint:
    """Every operation needs a function key, except the health check."""
    bp = df.Blueprint()

    @bp.route(route="pipelines/{name}/runs", methods=["POST"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def start_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        request = admission_request(req, str(req.route_params["name"]), datetime.now(UTC))
        await asyncio.to_thread(check, services, request)
        await start_once(client, REQUEST_RUN, request.requested_by, request)
        return admission_answer(await admission_of(client, request.requested_by))

    @bp.route(route="runs/{run_id}", methods=["GET"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def get_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        run_id = str(req.route_params["run_id"])
        record = await asyncio.to_thread(services.ledger.runs.run, run_id)
        if record is None:
            return problem(404, "unknown_run", f"there is no run {run_id!r}; GET /api/runs?pipeline=... lists them")
        return answer(await run_view(client, record))

    @bp.route(route="runs", methods=["GET"])
    @answers_problems
    async def list_runs(req: func.HttpRequest) -> func.HttpResponse:
        name = req.params.get("pipeline", "")
        if not name:
            raise PermanentError("query parameter pipeline is missing; name one pipeline", code=Code.BAD_REQUEST)
        services.pipelines.get(name)
        records = await asyncio.to_thread(services.ledger.runs.list_runs, name)
        return answer({"runs": [await run_view(None, record) for record in records]})

    @bp.route(route="pipelines", methods=["GET"])
    @answers_problems
    async def list_pipelines(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
        champions = {
            pipeline.name: await asyncio.to_thread(services.ledger.champions.champion, pipeline.name)
            for pipeline in services.pipelines.all
        }
        shown = [pipeline_view(pipeline, champions[pipeline.name]) for pipeline in services.pipelines.all]
        return answer({"pipelines": shown, "broken": services.pipelines.broken})

    @bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
        return answer({"status": "ok"})

    return bp


def answers_problems(handler: Handler) -> Handler:
    """Turn our errors into problem documents; anything else into a 500 that shows no traceback."""

    @wraps(handler)
    async def guarded(*args: Any, **kwargs: Any) -> func.HttpResponse:
        try:
            return await handler(*args, **kwargs)
        except (PermanentError, TransientError) as error:
            return problem_of(error)
        except Exception:
            incident = uuid.uuid4().hex[:12]
            log.exception("incident %s", incident)
            return problem(500, "internal_error", f"this is our fault; the log has it as incident {incident}")

    return guarded


def check(services: Services, request: AdmissionRequest) -> None:
    """Refuse at once what can never be admitted; raises :class:`PermanentError`."""
    pipeline = services.pipelines.get(request.pipeline)
    effective_parameters(pipeline.train.parameters, request.parameters)


async def admission_of(client: df.DurableOrchestrationClient, instance_id: str) -> dict[str, Any]:
    """What ``request_run`` says of the admission, once it does; ``{}`` when it takes too long to wait for."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + ADMISSION_SECONDS
    while loop.time() < ends:
        status = await client.get_status(instance_id)
        if isinstance(status.custom_status, dict):
            return status.custom_status
        await asyncio.sleep(ADMISSION_POLL_SECONDS)
    return {}


def admission_answer(said: dict[str, Any]) -> func.HttpResponse:
    """202 for a run that was started, 200 for one that was there already, a problem otherwise."""
    if "rejected" in said:
        return problem_of(PermanentError(said["reason"], code=said["rejected"]))
    if "admission" not in said:
        waited = said.get("failed", f"the data was not listed within {ADMISSION_SECONDS:g} s; the request goes on")
        return problem_of(TransientError(f"{waited}; look at GET /api/runs?pipeline=... before asking again"))
    admission = said["admission"]
    run_id, started = admission["run_id"], admission["start"]
    if run_id is None:
        return problem(409, Code.NO_DATA.value, admission["reason"])
    return answer(
        {"run_id": run_id, "started": started, "reason": admission["reason"]},
        status=202 if started else 200,
        headers={"Location": f"/api/runs/{run_id}"},
    )


def admission_request(req: func.HttpRequest, pipeline: str, now: datetime) -> AdmissionRequest:
    """Read the body, which may be empty; raises :class:`PermanentError` naming the bad field."""
    return AdmissionRequest(
        pipeline=pipeline,
        cause=Cause.OPERATOR,
        requested_by=f"http-{uuid.uuid4().hex}",
        requested_at=now,
        parameters=parameters_of(req.get_body()),
    )


def parameters_of(body: bytes) -> Parameters:
    """The ``parameters`` of a request body: an object of names to strings, numbers or booleans."""
    if not body.strip():
        return {}
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):  # the second for brackets within brackets within brackets
        raise PermanentError(
            'the body is not JSON; send {"parameters": {...}} or nothing', code=Code.BAD_REQUEST
        ) from None
    if not isinstance(asked, dict) or set(asked) - {"parameters"}:
        raise PermanentError('the body must be {"parameters": {...}}; nothing else is known', code=Code.BAD_REQUEST)
    parameters = asked.get("parameters", {})
    if not isinstance(parameters, dict):
        raise PermanentError("parameters must be an object of names to values", code=Code.BAD_REQUEST)
    for name, value in parameters.items():
        if not isinstance(value, str | int | float | bool):
            raise PermanentError(f"parameters.{name} must be a string, a number or a boolean", code=Code.BAD_REQUEST)
        if isinstance(value, float) and not math.isfinite(value):  # Python reads NaN and 1e999, JSON has neither
            raise PermanentError(f"parameters.{name} must be a finite number", code=Code.BAD_REQUEST)
    return parameters
