"""Remove an image from its registry with everything that was attached to it: signatures, SBOM, provenance, passport."""

import json
from contextlib import suppress
from typing import Any, Final, Protocol

from shared.oci.references import is_digest
from shared.oci.referrers import MOST_REFERRERS, fallback_tag
from shared.oci.transfer import StoredManifest

RUN_LABEL: Final = "io.edgetrain.run-id"
"""Annotation of an image: the run that it was built for."""


class ManifestStore(Protocol):
    """Finds and removes manifests."""

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or digest, or None."""

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        """The index of what is attached to a manifest; None when the registry does not keep one itself."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest with every tag that points at it; nothing when there is none."""


def image_of_run(registry: ManifestStore, repository: str, run_id: str, *, known: str) -> str:
    """The digest of a run's image that is still in the registry; empty when there is none.

    ``known``: the digest in the ledger, empty when the run ended before it got there. Whoever may push can point the
    run's tag at what others need; so the tag counts only where the image says itself that it is this run's.
    """
    if known:
        return known if registry.get_manifest(repository, known) is not None else ""
    stored = registry.get_manifest(repository, run_id)
    return stored.digest if stored is not None and _run_of(stored.body) == run_id else ""


def remove_with_attachments(registry: ManifestStore, repository: str, digest: str) -> int:
    """Remove the image and what is attached to it; safe to repeat. Returns how many manifests went.

    Only what says itself that it is attached to this image: whoever may push can name anything in an index, and point
    its tag at anything, such as the image that serves or the index of its signatures. The image goes last, so that a
    repeat still finds what hangs on it.
    """
    index = registry.get_manifest(repository, fallback_tag(digest))
    named = _named(index.body if index else None) | _named(registry.get_referrers(repository, digest))
    gone, others = 0, len(named) > MOST_REFERRERS
    for each in sorted(named - {digest})[:MOST_REFERRERS]:
        stored = registry.get_manifest(repository, each)
        subject = _subject(stored.body) if stored is not None else ""
        others = others or subject not in {"", digest}
        if subject == digest:
            registry.delete_manifest(repository, each)
            gone += 1
    if index is not None and _is_index(index.body) and not others:
        registry.delete_manifest(repository, index.digest)
        gone += 1
    registry.delete_manifest(repository, digest)
    return gone + 1


def _named(body: bytes | None) -> set[str]:
    """The digests that an index names; none for what is no index."""
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        index: dict[str, Any] = json.loads(body or b"{}")
        named = {str(each["digest"]) for each in index.get("manifests", ()) if "digest" in each}
        return {each for each in named if is_digest(each)}
    return set()


def _is_index(body: bytes) -> bool:
    """Whether this is an index and nothing else; the image that serves is none, whatever tag points at it."""
    with suppress(ValueError, AttributeError):
        fields = json.loads(body).keys()
        return "manifests" in fields and fields.isdisjoint({"config", "layers", "subject"})
    return False


def _subject(body: bytes) -> str:
    """What a manifest says that it is attached to; empty for nothing."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["subject"]["digest"])
    return ""


def _run_of(body: bytes) -> str:
    """The run that an image says it was built for; empty for none."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["annotations"][RUN_LABEL])
    return ""
