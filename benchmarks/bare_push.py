"""The least that a signed image costs at a registry without referrers: its requests, sent side by side from memory.

Six blobs (the layer, the configuration, four documents) of two requests each, for Distribution takes no blob in one;
the manifests of image and documents; the index of what is attached. Nothing is hashed but what must be named, nothing
signed, read from a disk, asked for or verified.
"""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from shared.oci.media_types import OCI_INDEX
from shared.oci.references import digest_of

BEFORE_THE_MODEL: Final = 37_000  # bytes of code in the layer
CONFIGURATION: Final = 2_000
DOCUMENTS: Final = (46_000, 2_000, 1_000, 800)
REQUESTS: Final = 2 * (2 + len(DOCUMENTS)) + 1 + len(DOCUMENTS) + 1
_REPOSITORY: Final = "bare/image"
_SIDE_BY_SIDE: Final = 4


def seconds(registry: str, model: int) -> float:
    """How long it takes to bring an image with a model of so many bytes to the registry (``host:port``)."""
    layer = os.urandom(BEFORE_THE_MODEL + model)
    others = [os.urandom(size) for size in (CONFIGURATION, *DOCUMENTS)]
    named = [(digest_of(blob), blob) for blob in (layer, *others)]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as workers, _connections(registry) as push:
        start = time.perf_counter()
        list(workers.map(lambda each: push.blob(*each), named))
        list(workers.map(lambda _: push.manifest(), range(1 + len(DOCUMENTS))))
        push.manifest()
        return time.perf_counter() - start


class _Push:
    """One connection for each thread."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all: list[http.client.HTTPConnection] = []

    def blob(self, digest: str, content: bytes) -> None:
        opened = urlsplit(self._ask("POST", f"/v2/{_REPOSITORY}/blobs/uploads/", b"", 202))
        self._ask("PUT", f"{opened.path}?{opened.query}&digest={digest}", content, 201)

    def manifest(self) -> None:
        annotations = {"unlike any other": os.urandom(8).hex()}
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": annotations})
        path = f"/v2/{_REPOSITORY}/manifests/{digest_of(body.encode())}"
        self._ask("PUT", path, body.encode(), 201, media_type=OCI_INDEX)

    def close(self) -> None:
        for connection in self._all:
            connection.close()

    def _ask(
        self, method: str, path: str, body: bytes, status: int, media_type: str = "application/octet-stream"
    ) -> str:
        connection = self._connection()
        connection.request(method, path, body=body, headers={"Content-Type": media_type})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == status, said
        return answer.headers.get("Location", "")

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._registry)
            with self._lock:
                self._all.append(self._own.connection)
        connection: http.client.HTTPConnection = self._own.connection
        return connection


@contextmanager
def _connections(registry: str) -> Iterator[_Push]:
    push = _Push(registry)
    try:
        yield push
    finally:
        push.close()
