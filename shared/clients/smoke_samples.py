"""The smoke sample inside an image, read from the registry: for targets that cannot look into their containers."""

import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Final, Protocol

from shared.errors import Code, PermanentError
from shared.oci.references import ImageName, is_digest, parse_name
from shared.oci.transfer import ImageRegistry, find_image
from shared.serving.containers import SMOKE_PATH
from shared.serving.smoke import SmokeSample, parse_smoke

LONGEST_SAMPLE: Final = 1024 * 1024  # bytes
_REMEMBERED: Final = 100
_MODEL_FILES: Final = SMOKE_PATH.lstrip("/")


class StreamingRegistry(ImageRegistry, Protocol):
    """A registry that gives blobs of any size in pieces."""

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """The blob in pieces; raises at its end when they were not the bytes of that digest."""


class SmokeSamples:
    """Finds smoke samples by image, and remembers the last ones: an image never changes. Thread-safe."""

    def __init__(self, registry: StreamingRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._known: dict[str, SmokeSample | None] = {}

    def __call__(self, image: str) -> SmokeSample | None:
        """The sample in the last layer of an image (``host/repository@sha256:...``); None when it has none.

        Raises ``PermanentError`` (``CANDIDATE_FAILED``) for a file that is no sample.
        """
        with self._lock:  # held while reading: side by side, one download is enough
            if image not in self._known:
                self._known[image] = self._read(image)
                while len(self._known) > _REMEMBERED:
                    self._known.pop(next(iter(self._known)))
            return self._known[image]

    def _read(self, image: str) -> SmokeSample | None:
        found = find_image(self._registry, self._name(image))
        if found is None:
            raise PermanentError(f"the registry has no image {image}; build it again", code=Code.REGISTRY_REFUSED)
        text = self._file(found.repository, found.image.layers[-1].digest) if found.image.layers else None
        if text is None:
            return None
        try:
            return parse_smoke(text.decode("utf-8"))
        except ValueError as error:
            reason = f"image {image} has a smoke.json that cannot be used: {error}"
            raise PermanentError(reason, code=Code.CANDIDATE_FAILED) from error

    def _name(self, image: str) -> ImageName:
        host, _, rest = image.partition("/")
        try:
            name = parse_name(rest)
        except ValueError as error:
            raise PermanentError(f"image {image!r}: {error}", code=Code.BAD_REQUEST) from None
        if host != self._registry.host or not is_digest(name.reference):
            reason = f"image {image!r} is not an image of the registry {self._registry.host} by digest"
            raise PermanentError(reason, code=Code.BAD_REQUEST)
        return name

    def _file(self, repository: str, layer: str) -> bytes | None:
        """The content of the sample's file; the layer is read to its end, which is where its digest is checked."""
        stream = _Stream(self._registry.stream_blob(repository, layer))
        content = None
        try:
            with tarfile.open(fileobj=stream, mode="r|*") as archive:  # type: ignore[call-overload]  # asks for more than the read() it uses
                for member in archive:
                    if member.name == _MODEL_FILES and member.isfile() and member.size <= LONGEST_SAMPLE:
                        file = archive.extractfile(member)
                        content = file.read() if file is not None else None
        except tarfile.TarError as error:
            reason = f"layer {layer} of {repository} cannot be read ({error}); build the image again"
            raise PermanentError(reason, code=Code.REGISTRY_REFUSED) from None
        finally:
            stream.drain()
        return content


class _Stream:
    """Pieces in the part of a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = BytesIO()

    def read(self, size: int) -> bytes:
        content = self._piece.read(size)
        while len(content) < size and (piece := next(self._pieces, b"")):
            self._piece = BytesIO(piece)
            content += self._piece.read(size - len(content))
        return content

    def drain(self) -> None:
        for _ in self._pieces:
            pass
