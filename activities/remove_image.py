"""Remove the image of a run that was cancelled, with what was pushed about it."""

from typing import Protocol

from shared.messages import Done, TrainingRef
from shared.oci.transfer import StoredManifest


class Registry(Protocol):
    """Finds and removes manifests."""

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or digest, or None."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest with every tag that points at it; nothing when there is none."""


class Images(Protocol):
    """Knows the image of each run."""

    def forget(self, run_id: str) -> None:
        """Remove the image of a run from the list."""


def remove_image(run: TrainingRef, *, registry: Registry, images: Images) -> Done:
    """Remove it; safe to repeat. The image goes last, so that a repeat still finds what hangs on it."""
    repository = f"models/{run.pipeline}"
    stored = registry.get_manifest(repository, run.run_id)
    if stored is not None:
        referrers = registry.get_manifest(repository, stored.digest.replace(":", "-"))
        if referrers is not None:
            registry.delete_manifest(repository, referrers.digest)
        registry.delete_manifest(repository, stored.digest)
    images.forget(run.run_id)
    return Done()
