"""Remove an image from its registry with everything that was attached to it: signatures, SBOM, provenance, passport."""

import json
from contextlib import suppress
from typing import Any, Protocol

from shared.oci.referrers import fallback_tag
from shared.oci.transfer import StoredManifest


class ManifestStore(Protocol):
    """Finds and removes manifests."""

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or digest, or None."""

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        """The index of what is attached to a manifest; None when the registry does not keep one itself."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest with every tag that points at it; nothing when there is none."""


def remove_with_attachments(registry: ManifestStore, repository: str, digest: str) -> int:
    """Remove the image and what is attached to it; safe to repeat. Returns how many manifests went.

    Only what says itself that it is attached to this image: whoever may push can name anything in an index. The image
    goes last, so that a repeat still finds what hangs on it.
    """
    gone = 0
    index = registry.get_manifest(repository, fallback_tag(digest))
    named = _named(index.body if index else None) | _named(registry.get_referrers(repository, digest))
    for each in sorted(named - {digest}):
        stored = registry.get_manifest(repository, each)
        if stored is not None and _subject(stored.body) == digest:
            registry.delete_manifest(repository, each)
            gone += 1
    if index is not None and index.digest != digest:
        registry.delete_manifest(repository, index.digest)
        gone += 1
    registry.delete_manifest(repository, digest)
    return gone + 1


def _named(body: bytes | None) -> set[str]:
    """The digests that an index names; none for what is no index."""
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        index: dict[str, Any] = json.loads(body or b"{}")
        return {str(each["digest"]) for each in index.get("manifests", ()) if "digest" in each}
    return set()


def _subject(body: bytes) -> str:
    """What a manifest says that it is attached to; empty for nothing."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["subject"]["digest"])
    return ""
