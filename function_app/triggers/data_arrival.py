"""Event Grid trigger: a blob was written. Record the arrival and start its window's settling; never a run per file."""

import asyncio
import logging
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.durable_client import start_once
from function_app.intake.arrivals import Intake
from function_app.triggers.events import EVENT_GRID_TRIGGER
from orchestrations.settle_arrivals import DONE_MARKER
from shared.messages import ArrivalWindow
from shared.telemetry import span, trace_from_host
from shared.values.texts import shortened
from shared.wire_contracts.event_text import trace_of

log = logging.getLogger(__name__)


def blueprint(services: Services) -> df.Blueprint:
    """The trigger for ``Microsoft.Storage.BlobCreated``, in the Event Grid and the CloudEvents schema."""
    bp = df.Blueprint()
    intake = Intake(services)

    @bp.generic_trigger(arg_name="event", type=EVENT_GRID_TRIGGER)
    @bp.durable_client_input(client_name="client")
    async def on_data_arrival(event: str, client: df.DurableOrchestrationClient, context: func.Context) -> None:
        began = datetime.now(UTC)
        recorded = await intake.record_text(event, began)
        for window in recorded.start:  # only what opens a window is told of: a burst is many events, and one run
            parent = trace_of(event) or trace_from_host(context)
            with span("on_data_arrival", parent, {"pipeline": window.pipeline}, began=began):
                await _settle(client, services, window)
        for window_id in recorded.wake:
            await _wake(client, window_id)

    return bp


async def _settle(client: df.DurableOrchestrationClient, services: Services, window: ArrivalWindow) -> None:
    await start_once(client, "settle_arrivals", window.window_id, window)
    await asyncio.to_thread(services.ledger.arrivals.window_started, window)


async def _wake(client: df.DurableOrchestrationClient, window_id: str) -> None:
    """Raise the external event that wakes a window. Only a hint: the ledger has the marker, and the window polls."""
    try:
        await client.raise_event(window_id, DONE_MARKER)
    except Exception as error:  # noqa: BLE001 - the SDK knows no narrower type; the instance has not started, or has ended
        log.info("window %s was not woken for its done-marker: %s", window_id, shortened(error))
