"""Remove the image of a run that was cancelled, with what was pushed about it."""

from typing import Protocol

from shared.messages import Done, TrainingRef
from shared.oci.removal import ManifestStore, remove_with_attachments


class Images(Protocol):
    """Knows the image of each run."""

    def forget(self, run_id: str) -> None:
        """Remove the image of a run from the list."""


def remove_image(run: TrainingRef, *, registry: ManifestStore, images: Images) -> Done:
    """Remove it; safe to repeat. The image goes last, so that a repeat still finds what hangs on it."""
    repository = f"models/{run.pipeline}"
    stored = registry.get_manifest(repository, run.run_id)
    if stored is not None:
        remove_with_attachments(registry, repository, stored.digest)
    images.forget(run.run_id)
    return Done()
