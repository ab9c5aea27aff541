"""Event Grid trigger: the status of an Azure ML run changed. Wakes the orchestration that polls it."""

import logging
from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df

from function_app.triggers.events import EVENT_GRID_TRIGGER
from orchestrations.await_training import WAKE_UP
from shared.errors import PermanentError
from shared.orchestration_ids import training_id
from shared.values.texts import shortened
from shared.wire_contracts.event_text import payload_of

log = logging.getLogger(__name__)


def blueprint() -> df.Blueprint:
    """The trigger for ``Microsoft.MachineLearningServices.RunStatusChanged``."""
    bp = df.Blueprint()

    @bp.generic_trigger(arg_name="event", type=EVENT_GRID_TRIGGER)
    @bp.durable_client_input(client_name="client")
    async def on_training_status(event: str, client: df.DurableOrchestrationClient) -> None:
        try:
            payload = payload_of(event)
        except PermanentError as error:
            log.warning("an event about a training could not be read: %s", error.reason)
            return
        run_id = run_id_of(payload)
        if run_id is None:
            log.warning("event %s names no run; no orchestration is woken", payload["id"])
            return
        try:
            await client.raise_event(training_id(run_id), WAKE_UP, {"event": shortened(payload["id"], 256)})
        except Exception as error:  # noqa: BLE001 - the client raises it bare for an unknown or a finished instance
            # Only a hint is lost: polling finds the status anyway.
            log.info("no orchestration waits for run %s: %s", run_id, error)

    return bp


def run_id_of(event: Mapping[str, Any]) -> str | None:
    """The run id in the event: ``data.runId``, as the service documents it."""
    data = event.get("data")
    run_id = data.get("runId") if isinstance(data, dict) else None
    return run_id if isinstance(run_id, str) and run_id else None
