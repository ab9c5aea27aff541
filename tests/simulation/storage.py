"""A hub's blobs in memory, behind the real snapshot code: what :class:`shared.clients.hub_blobs.HubBlobs` answers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import IO, Any

from shared.clients.hub_storage import Hubs, HubStorage
from shared.formats.manifest import BlobEntry
from shared.pipelines import Data
from tests.unit.functions_host.durable.harness import Clock

BAD = 13
PAGE = 3  # small, so that a few blobs are several pages


@dataclass
class MemoryBlobs:
    """One site's containers. Times have whole seconds, as the service's have; each write makes a new ETag."""

    clock: Clock
    site: str = "factory"
    account: str = "hub"
    containers: dict[str, dict[str, BlobEntry]] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    requests: int = 0
    _writes: int = 0

    def write(self, container: str, name: str, size: int) -> BlobEntry:
        """Upload a blob, or overwrite it."""
        self._writes += 1
        entry = BlobEntry(
            name=name,
            etag=f'"0x{self._writes:04X}"',
            size=size,
            md5=None,
            last_modified=self.clock.now().replace(microsecond=0),
        )
        self.containers.setdefault(container, {})[name] = entry
        return entry

    def pages(
        self, data: Data, marker: str | None = None, *, most: int | None = None, still_written: Any = None
    ) -> Iterator[tuple[list[Any], str | None]]:
        blobs = self.containers.get(data.container, {})
        names = [name for name in sorted(blobs) if name.startswith(data.prefix) and name >= (marker or "")]
        size = min(most or PAGE, PAGE)
        for start in range(0, max(len(names), 1), size):
            self.requests += 1
            following = names[start + size] if start + size < len(names) else None
            yield [_listed(blobs[name]) for name in names[start : start + size]], following

    def find(self, container: str, name: str) -> tuple[BlobEntry, datetime | None] | None:
        self.requests += 1
        found = self.containers.get(container, {}).get(name)
        return (found, self.clock.now()) if found else None

    def read_manifest(self, name: str) -> Iterator[bytes] | None:
        self.requests += 1
        content = self.manifests.get(name)
        return iter([content]) if content is not None else None

    def keep_manifest(self, name: str, content: IO[bytes]) -> None:
        self.requests += 1
        content.seek(0)
        self.manifests.setdefault(name, content.read())

    def lists_bad_data(self, manifest: str) -> bool:
        """Whether a manifest lists a blob that no training survives: those of the size :data:`BAD`."""
        return any(blob["size"] == BAD for blob in json.loads(self.manifests[manifest])["blobs"])

    def close(self) -> None:
        """Nothing to close."""


def _listed(entry: BlobEntry) -> SimpleNamespace:
    """A blob as the SDK lists it."""
    return SimpleNamespace(
        name=entry.name,
        etag=entry.etag,
        size=entry.size,
        last_modified=entry.last_modified,
        blob_type="BlockBlob",
        content_settings=SimpleNamespace(content_md5=bytes.fromhex(entry.md5) if entry.md5 else None),
    )


def hubs_over(blobs: Any) -> Hubs:
    """The app's hubs with one site, whose storage is this."""
    return Hubs(lambda _: None, build=lambda _name, _site: HubStorage.over(blobs))  # type: ignore[arg-type, return-value]
