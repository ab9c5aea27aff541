"""A blob landed: record it, and make sure that somebody settles the window it joined. Never a run per file."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.services import Services
from function_app.starting import start_once
from shared.decisions.arrivals import arrival_from
from shared.decisions.routing import route
from shared.errors import PermanentError
from shared.messages import ArrivalWindow

log = logging.getLogger(__name__)


def blueprint(services: Services) -> df.Blueprint:
    """The trigger for ``Microsoft.Storage.BlobCreated``, in the Event Grid and the CloudEvents schema."""
    bp = df.Blueprint()

    @bp.event_grid_trigger(arg_name="event")
    @bp.durable_client_input(client_name="client")
    async def on_data_arrival(event: func.EventGridEvent, client: df.DurableOrchestrationClient) -> None:
        # Raising makes Event Grid deliver again: right for transient trouble, useless for an event nobody understands.
        try:
            opened = await asyncio.to_thread(record, services, payload_of(event), datetime.now(UTC))
        except PermanentError as error:
            log.error("event %s is rejected: %s", event.id, error.reason)
            return
        for window in opened:
            await start_once(client, "settle_arrivals", window.window_id, window)
            await asyncio.to_thread(services.ledger.arrivals.window_started, window)

    return bp


def record(services: Services, payload: dict[str, Any], received_at: datetime) -> list[ArrivalWindow]:
    """Write the arrival to the ledger; the windows that the caller must start now, usually none.

    Raises :class:`PermanentError` for an event that is not understood, :class:`TransientError` to be asked again.
    """
    arrival = arrival_from(payload, received_at=received_at)
    routing = route(arrival, services.pipelines.all, services.accounts)
    if not routing.pipelines:
        services.ledger.arrivals.record_outside(arrival, routing.reason)
        log.info("arrival of %s/%s is outside: %s", arrival.container, arrival.blob, routing.reason)
        return []
    joined = [services.ledger.arrivals.join_window(pipeline.name, arrival) for pipeline in routing.pipelines]
    return [entry.start for entry in joined if entry.start is not None]


def payload_of(event: func.EventGridEvent | func.CloudEvent) -> dict[str, Any]:
    """The event as plain fields, the same for both schemas: id, source, subject, type, time, data."""
    cloud = isinstance(event, func.CloudEvent)
    moment = event.time if cloud else event.event_time
    return {
        "id": event.id,
        "source": event.source if cloud else event.topic,
        "subject": event.subject,
        "type": event.type if cloud else event.event_type,
        "time": moment.isoformat() if moment else None,
        "data": event.get_json(),
    }
