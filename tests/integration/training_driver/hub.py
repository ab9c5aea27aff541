"""A hub with data and a manifest, as the app and the data owner leave it; and the file that lets a VM read it."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from shared.messages import Snapshot
from shared.settings import HUB_API_VERSION

MANIFESTS = "edgetrain-manifests"


def client(connection_string: str) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(connection_string, api_version=HUB_API_VERSION)


def put(connection_string: str, container: str, blobs: dict[str, bytes]) -> None:
    service = client(connection_string)
    with contextlib.suppress(ResourceExistsError):
        service.create_container(container)
    for name, content in blobs.items():
        service.get_blob_client(container, name).upload_blob(content, overwrite=True)


def take_snapshot(connection_string: str, pipeline: str, *, container: str, holdout: str) -> Snapshot:
    """Everything in the container but the hold-out, as a manifest on the hub."""
    service = client(connection_string)
    listed = {blob.name: blob for blob in service.get_container_client(container).list_blobs()}
    entries = {name: entry(blob) for name, blob in sorted(listed.items())}
    kept_back = entries.pop(holdout)
    manifest = {
        "schema": 1,
        "pipeline": pipeline,
        "container": container,
        "holdout": kept_back,
        "blobs": list(entries.values()),
    }
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    put(connection_string, MANIFESTS, {f"{pipeline}/{digest}.json": text})
    return Snapshot(
        site="factory",
        container=container,
        manifest=f"{pipeline}/{digest}.json",
        digest=digest,
        blobs=len(entries),
        size=sum(item["size"] for item in entries.values()),
    )


def entry(blob: Any) -> dict[str, Any]:
    return {
        "name": blob.name,
        "etag": blob.etag,
        "size": blob.size,
        "md5": bytes(blob.content_settings.content_md5).hex() if blob.content_settings.content_md5 else None,
        "last_modified": blob.last_modified.isoformat(),
    }


def give_credentials(home: Path, connection_string: str, *, mode: int = 0o600) -> None:
    path = home / ".config/edgetrain/sites/factory.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"connection_string": connection_string, "api_version": HUB_API_VERSION}))
    path.chmod(mode)
