"""Writing what could not be delivered to a blob container.

Source of names and form: the service's page on dead-letter locations (``SUBSCRIPTION/YYYY/M/D/H/id.json``, an array).
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient

from local_stack.event_grid import events
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.models import DeadLetterDestination
from local_stack.event_grid.store import Delivery

_PATIENCE: Final[dict[str, Any]] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 10}
_JSON: Final = ContentSettings(content_type="application/json")
_BLOB_IDS: Final = uuid.UUID("0c6f7c0e-9f0c-4c53-9a5e-6a2f1f3f5b11")


async def write(grid: Grid, delivery: Delivery) -> None:
    """Write a given-up delivery as a blob and settle it; the same blob again when a crash came in between."""
    subscription = grid.subscriptions[delivery.subscription]
    if subscription.dead_letter_destination is None:  # taken away since the delivery was given up
        grid.dead_letter_failed(delivery, "there is no destination any more", for_good=True)
        return
    content = events.dead_letter(
        grid.body(delivery),
        subscription.event_delivery_schema,
        reason=delivery.reason or "",
        attempts=delivery.attempts,
        outcome=delivery.outcome,
        published_at=delivery.published_at,
        attempted_at=delivery.attempted_at,
    )
    try:
        await _upload(subscription.dead_letter_destination, blob_name(delivery), json.dumps([content]).encode())
    except ResourceNotFoundError:
        grid.dead_letter_failed(delivery, "the container is not there", for_good=True)
    except (AzureError, ValueError) as error:
        # A ValueError is a connection string that is none. Texts of both may hold addresses: the type says enough.
        grid.dead_letter_failed(delivery, type(error).__name__, for_good=isinstance(error, ValueError))
    else:
        grid.dead_lettered(delivery)


def blob_name(delivery: Delivery) -> str:
    """The blob's name; date and hour (UTC) are not padded."""
    at = datetime.fromtimestamp(delivery.attempted_at or delivery.published_at, UTC)
    number = uuid.uuid5(_BLOB_IDS, f"{delivery.id}/{delivery.published_at}")
    return f"{delivery.subscription.upper()}/{at.year}/{at.month}/{at.day}/{at.hour}/{number}.json"


async def _upload(destination: DeadLetterDestination, name: str, content: bytes) -> None:
    async with BlobServiceClient.from_connection_string(destination.connection_string, **_PATIENCE) as service:
        container = service.get_container_client(destination.container_name)
        await container.upload_blob(name, content, overwrite=True, content_settings=_JSON)
