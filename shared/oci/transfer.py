"""Find an image in a registry, and bring one there: only what is missing moves."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.oci.images import Descriptor, Image, choose_platform, named_digest, read_image
from shared.oci.media_types import INDEXES, MANIFESTS, OCI_MANIFEST
from shared.oci.references import ImageName


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest or index as a registry keeps it."""

    media_type: str
    digest: str
    body: bytes


class ImageRegistry(Protocol):
    """The part of the distribution API that images need. Errors are ``TransientError`` or ``PermanentError``."""

    @property
    def host(self) -> str:
        """The registry's name in image references."""

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or digest, or None."""

    def put_manifest(self, repository: str, tag: str, body: bytes, *, media_type: str) -> bool:
        """Store a manifest under its digest, and point the tag at it; whether the registry notes its ``subject``."""

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A small blob whole."""

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository holds the blob."""

    def put_blob(self, repository: str, digest: str, content: BinaryIO) -> None:
        """Upload a blob of any size, in pieces."""

    def put_pieces(self, repository: str, pieces: Iterable[bytes], digest: Callable[[], str]) -> None:
        """Upload a blob while it is being made; ``digest`` is asked for after its last piece."""

    def copy_blob(self, repository: str, digest: str, *, source: str) -> None:
        """Make the repository hold a blob that ``source``, another repository of the registry, holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image in a registry, with the digest it has there (of its own manifest, not of an index around it)."""

    repository: str
    digest: str
    image: Image
    manifest: StoredManifest

    @property
    def descriptor(self) -> Descriptor:
        """What points at the manifest as the registry keeps it."""
        return Descriptor(self.manifest.media_type, self.digest, len(self.manifest.body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where an image's layers can be had: files by digest, and the repository that holds all others."""

    files: Mapping[str, Path] = field(default_factory=dict)
    repository: str | None = None


def find_image(registry: ImageRegistry, name: ImageName) -> FoundImage | None:
    """The image of that name; of a multi-platform index the one for linux/amd64.

    Raises ``ValueError`` when there is something that no image can be derived from.
    """
    stored = registry.get_manifest(name.repository, name.reference)
    if stored is not None and stored.media_type in INDEXES:
        stored = registry.get_manifest(name.repository, choose_platform(json.loads(stored.body)))
    if stored is None:
        return None
    if stored.media_type not in MANIFESTS:
        raise ValueError(f"it is a {stored.media_type}, not an image")
    manifest = json.loads(stored.body)
    blob = registry.get_blob(name.repository, named_digest(manifest.get("config")))
    try:
        config = json.loads(blob)
    except RecursionError:
        raise ValueError("its configuration is nested too deeply to be read") from None
    image = read_image(manifest, config)
    return FoundImage(repository=name.repository, digest=stored.digest, image=image, manifest=stored)


def push_image(registry: ImageRegistry, image: Image, name: ImageName, parts: Parts) -> None:
    """Bring an image into a repository under a tag. The tag comes last, so nobody sees half an image.

    Safe to repeat: blobs that are there already are not sent again.
    """
    provide_layers(registry, name.repository, image.layers, parts)
    tag_image(registry, image, name)


def provide_layers(registry: ImageRegistry, repository: str, layers: Iterable[Descriptor], parts: Parts) -> None:
    """Make a repository hold these layers; those that are there already are not sent again."""
    for layer in layers:
        _provide(registry, repository, layer.digest, parts)


def tag_image(registry: ImageRegistry, image: Image, name: ImageName) -> None:
    """Store an image, whose layers the repository holds, under a tag."""
    config = image.config_descriptor
    if not registry.has_blob(name.repository, config.digest):
        registry.put_blob(name.repository, config.digest, BytesIO(image.config_blob))
    registry.put_manifest(name.repository, name.reference, image.manifest, media_type=OCI_MANIFEST)


def _provide(registry: ImageRegistry, repository: str, digest: str, parts: Parts) -> None:
    if registry.has_blob(repository, digest):
        return
    if digest in parts.files:
        with parts.files[digest].open("rb") as content:
            registry.put_blob(repository, digest, content)
    elif parts.repository is not None:
        registry.copy_blob(repository, digest, source=parts.repository)
    else:
        raise ValueError(f"nobody has layer {digest}")
