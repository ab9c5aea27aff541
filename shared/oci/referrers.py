"""Artifacts attached to an image in its repository: manifests whose ``subject`` is the image (OCI 1.1, "referrers").

A registry that knows referrers says so in its answer (``OCI-Subject``). Others, Distribution 2 among them, get an index
of an image's artifacts under the tag ``sha256-<hex>``, the fallback of the specification, which every client reads.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any, Final, Protocol

from shared.errors import Code, PermanentError, TransientError
from shared.oci.images import Descriptor, named_digest
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.oci.references import digest_of
from shared.oci.transfer import ImageRegistry

EMPTY_CONFIG: Final = "application/vnd.oci.empty.v1+json"
_EMPTY: Final = b"{}"
_MOST_RACES: Final = 5
_SIDE_BY_SIDE: Final = 4
MOST_REFERRERS: Final = 200
"""Of one image; whoever may push could attach any number."""


class ReferrersRegistry(ImageRegistry, Protocol):
    """A registry that can also list what is attached to an image."""

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        """The index of what is attached to a manifest; None when the registry does not keep one itself."""

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """A blob of any size, in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A document to attach; ``annotations`` can be read without fetching it."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """What an image's index says of an attached artifact; all of it is only what somebody wrote there."""

    digest: str
    artifact_type: str
    annotations: Mapping[str, str]


def fallback_tag(digest: str) -> str:
    """The tag of the index of what is attached to a manifest."""
    return digest.replace(":", "-")


def attach(
    registry: ReferrersRegistry, repository: str, subject: Descriptor, artifacts: Iterable[Artifact]
) -> tuple[str, ...]:
    """Attach documents to an image of the repository; returns the digests of their manifests. Safe to repeat.

    The last one is attached when all others are, whether the registry keeps the index itself or not.
    """
    waiting = list(artifacts)
    if not waiting:
        return ()
    config = Descriptor(EMPTY_CONFIG, digest_of(_EMPTY), len(_EMPTY))
    push = partial(_push, registry, repository, subject, config)
    # Side by side: each is a few small requests, whose time is that of the way to the registry.
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as workers:
        documents = workers.map(lambda artifact: _upload(registry, repository, artifact.content), waiting)
        if not registry.has_blob(repository, config.digest):
            _upload(registry, repository, _EMPTY)
        list(documents)
        pushed = [*workers.map(push, waiting[:-1]), push(waiting[-1])]
    unknown = [entry for entry, known in pushed if not known]
    if unknown:
        _note(registry, repository, subject.digest, unknown)
    return tuple(entry["digest"] for entry, _ in pushed)


def _push(
    registry: ReferrersRegistry, repository: str, subject: Descriptor, config: Descriptor, artifact: Artifact
) -> tuple[dict[str, Any], bool]:
    """The artifact's entry for the index, and whether the registry keeps the index itself."""
    layer = Descriptor(artifact.media_type, digest_of(artifact.content), len(artifact.content))
    annotations = dict(artifact.annotations)
    manifest = _encoded(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact.media_type,
            "config": config.to_json(),
            "layers": [layer.to_json()],
            "subject": subject.to_json(),
            "annotations": annotations,
        }
    )
    digest = digest_of(manifest)
    known = registry.put_manifest(repository, digest, manifest, media_type=OCI_MANIFEST)
    entry = Descriptor(OCI_MANIFEST, digest, len(manifest)).to_json()
    return entry | {"artifactType": artifact.media_type, "annotations": annotations}, known


def _upload(registry: ImageRegistry, repository: str, content: bytes) -> None:
    """Not asked for first: a signature is never there already, and asking would take as long as sending."""
    registry.put_blob(repository, digest_of(content), BytesIO(content))


def referrers(registry: ReferrersRegistry, repository: str, digest: str) -> tuple[Referrer, ...]:
    """What is attached to an image, at most :data:`MOST_REFERRERS`, the first ones first."""
    index = registry.get_referrers(repository, digest)
    if index is None:
        stored = registry.get_manifest(repository, fallback_tag(digest))
        index = stored.body if stored is not None else None
    return tuple(_readable(_entries(index)))


def attached(registry: ReferrersRegistry, repository: str, referrer: Referrer, *, to: str) -> bytes | None:
    """The document of a referrer; None when it is gone, or is no single small document attached to the digest ``to``.

    Whoever may push can attach a large one; what else was attached counts all the same.
    """
    stored = registry.get_manifest(repository, referrer.digest)
    if stored is None:
        return None
    try:
        manifest = json.loads(stored.body)
        subject, layers = named_digest(manifest["subject"]), manifest["layers"]
        if subject != to or len(layers) != 1:
            return None
        layer = named_digest(layers[0])
    except (ValueError, KeyError, TypeError):
        return None
    if not registry.has_blob(repository, layer):
        return None
    try:
        return registry.get_blob(repository, layer)
    except PermanentError as error:
        if error.code is not Code.BAD_REQUEST:  # that it is too large
            raise
        return None


def _note(registry: ImageRegistry, repository: str, digest: str, entries: list[dict[str, Any]]) -> None:
    """Add entries to the index; a registry has no compare and swap, so it is looked at again until they are there."""
    tag = fallback_tag(digest)
    for _ in range(_MOST_RACES):
        stored = registry.get_manifest(repository, tag)
        present = _entries(stored.body if stored is not None else None)
        known = {entry.get("digest") for entry in present}
        missing = [entry for entry in entries if entry["digest"] not in known]
        if not missing:
            return
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*present, *missing]}
        registry.put_manifest(repository, tag, _encoded(index), media_type=OCI_INDEX)
    raise TransientError(f"other writers change what is attached to {repository}@{digest}; it is tried again")


def _entries(index: bytes | None) -> list[dict[str, Any]]:
    if index is None:
        return []
    try:
        entries = json.loads(index)["manifests"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _readable(entries: list[dict[str, Any]]) -> list[Referrer]:
    found = []
    for entry in entries[:MOST_REFERRERS]:
        annotations = entry.get("annotations")
        try:
            found.append(
                Referrer(
                    digest=named_digest(entry),
                    artifact_type=str(entry.get("artifactType", "")),
                    annotations=annotations if isinstance(annotations, dict) else {},
                )
            )
        except ValueError:
            continue
    return found


def _encoded(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
