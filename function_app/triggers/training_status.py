"""Event Grid trigger: an Azure ML run was completed, or its status changed. Wakes the orchestration that polls it.

The service documents ``RunCompleted`` for success and ``RunStatusChanged`` for other changes, of which it raises those
to "failed"; the names in ``data`` are spelled ``RunId`` in its examples and ``runId`` in its published description.
"""

import logging
from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df

from function_app.triggers.events import EVENT_GRID_TRIGGER
from orchestrations.await_training import WAKE_UP
from shared.decisions.training.run_states import UNDER_WAY
from shared.errors import PermanentError
from shared.orchestration_ids import training_id
from shared.values.texts import shortened
from shared.wire_contracts.event_text import payload_of

log = logging.getLogger(__name__)


def blueprint() -> df.Blueprint:
    """The trigger for ``Microsoft.MachineLearningServices.RunCompleted`` and ``RunStatusChanged``."""
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
        if is_under_way(payload):
            return
        try:
            await client.raise_event(training_id(run_id), WAKE_UP, {"event": shortened(payload["id"], 256)})
        except Exception as error:  # noqa: BLE001 - the client raises it bare for an unknown or a finished instance
            # Only a hint is lost: polling finds the status anyway.
            log.info("no orchestration waits for run %s: %s", run_id, error)

    return bp


def run_id_of(event: Mapping[str, Any]) -> str | None:
    """The id of the run that the event is about."""
    return _named(event, "runid")


def is_under_way(event: Mapping[str, Any]) -> bool:
    """Whether the event says that the run has not ended, so that a check would find nothing to do."""
    return (_named(event, "runstatus") or "").casefold() in UNDER_WAY


def _named(event: Mapping[str, Any], name: str) -> str | None:
    """A text in ``data``, whatever the case of its name."""
    data = event.get("data")
    if not isinstance(data, dict):
        return None
    found = next((value for key, value in data.items() if str(key).casefold() == name), None)
    return found if isinstance(found, str) and found else None
