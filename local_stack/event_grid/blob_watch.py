"""``Microsoft.Storage.BlobCreated`` for an Azurite, which raises no events itself: containers are listed on a timer."""

import asyncio
import logging
import time
import uuid
from typing import Any, Final
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local_stack.event_grid.events import Event
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.models import BlobSource, Schema, Topic

log = logging.getLogger("event_grid")

EVENT_TYPE: Final = "Microsoft.Storage.BlobCreated"
_PATIENCE: Final[dict[str, Any]] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 30}


async def watch(grid: Grid, source: BlobSource) -> None:
    """List the source's containers until cancelled, and raise an event for each blob that is new or was replaced."""
    topic = grid.topics[source.topic]
    async with BlobServiceClient.from_connection_string(source.connection_string, **_PATIENCE) as service:
        while True:
            for name in source.containers:
                try:
                    await _look(grid, topic, service.get_container_client(name))
                except AzureError as error:
                    log.warning("listing failed container=%s error=%s", name, type(error).__name__)
            await asyncio.sleep(source.every)


async def _look(grid: Grid, topic: Topic, container: ContainerClient) -> None:
    listed: dict[str, Any] = {}
    try:
        async for blob in container.list_blobs():
            listed[blob.name] = blob
    except ResourceNotFoundError:
        listed = {}  # no container, no blobs; what comes with it is new then
    etags = {name: str(blob.etag).strip('"') for name, blob in listed.items()}
    name = container.container_name
    news = grid.blobs_listed(topic, name, etags, lambda blob: _event(topic, name, container.url, listed[blob]))
    if news:
        log.info("blobs created container=%s count=%d", name, news)


def _event(topic: Topic, container: str, container_url: str, blob: Any) -> Event:
    url, etag = f"{container_url}/{quote(blob.name)}", str(blob.etag).strip('"')
    return Event(
        Schema.EVENT_GRID,
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{url}#{etag}")),
            "topic": topic.source,
            "subject": f"/blobServices/default/containers/{container}/blobs/{blob.name}",
            "eventType": EVENT_TYPE,
            "eventTime": blob.last_modified.isoformat().replace("+00:00", "Z"),
            "data": {
                "api": "PutBlob",  # a listing does not tell how the blob was made
                "requestId": str(uuid.uuid4()),
                "eTag": etag,
                "contentType": blob.content_settings.content_type or "application/octet-stream",
                "contentLength": blob.size,
                "blobType": str(getattr(blob.blob_type, "value", blob.blob_type)),
                "url": url,
                "sequencer": f"{time.time_ns():048x}",
            },
            "dataVersion": "",
            "metadataVersion": "1",
        },
    )
