"""Azure ML says that a run changed: wake the orchestration that waits for it, instead of letting it find out."""

import logging

import azure.durable_functions as df
import azure.functions as func

from orchestrations.await_training import WAKE_UP
from shared.decisions.children import training_id

log = logging.getLogger(__name__)


def blueprint() -> df.Blueprint:
    """The trigger for ``Microsoft.MachineLearningServices.RunStatusChanged``."""
    bp = df.Blueprint()

    @bp.event_grid_trigger(arg_name="event")
    @bp.durable_client_input(client_name="client")
    async def on_training_status(event: func.EventGridEvent, client: df.DurableOrchestrationClient) -> None:
        run_id = run_id_of(event)
        if run_id is None:
            log.warning("event %s names no run; nothing to wake", event.id)
            return
        try:
            await client.raise_event(training_id(run_id), WAKE_UP, {"event": event.id})
        except Exception as error:  # noqa: BLE001 - the client raises it bare for an unknown or a finished instance
            # Only a hint was lost: polling finds the status by itself.
            log.info("nobody waits for run %s: %s", run_id, error)

    return bp


def run_id_of(event: func.EventGridEvent) -> str | None:
    """The run that the event is about: ``data.runId``, as the service documents it."""
    data = event.get_json()
    run_id = data.get("runId") if isinstance(data, dict) else None
    return run_id if isinstance(run_id, str) and run_id else None
