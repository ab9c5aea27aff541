"""Remove the image of a run that was cancelled, with what was pushed about it."""

from typing import Protocol

from shared.errors import Code, PermanentError
from shared.messages import BuildImage, Cancellation, Done, KnownImage, TrainingRef
from shared.oci.references import digest_of_image
from shared.oci.removal import ManifestStore, image_of_run, remove_with_attachments


class Images(Protocol):
    """Knows the image of each run."""

    def of(self, run_id: str) -> KnownImage | None:
        """The image of a run; None when none was built."""

    def forget(self, run_id: str) -> None:
        """Remove the image of a run from the list."""


class Runs(Protocol):
    """Knows which runs are to end."""

    def cancellation(self, run_id: str) -> Cancellation | None:
        """Who wants the run to end; None when nobody does."""


def remove_image(run: TrainingRef, *, registry: ManifestStore, images: Images) -> Done:
    """Remove it; safe to repeat. The image goes last, so that a repeat still finds what hangs on it."""
    repository, built = f"models/{run.pipeline}", images.of(run.run_id)
    known = digest_of_image(built.reference if built else None)
    digest = image_of_run(registry, repository, run.run_id, known=known)
    if digest:
        remove_with_attachments(registry, repository, digest)
    images.forget(run.run_id)
    return Done()


def remove_if_cancelled(command: BuildImage, *, registry: ManifestStore, images: Images, runs: Runs) -> None:
    """Remove an image that was built while its run was cancelled (run_cancelled).

    No activity is stopped by that, so the image may be pushed after it was removed.
    """
    run_id = command.for_run or command.lineage.run_id
    if runs.cancellation(run_id) is None:
        return
    image = TrainingRef(run_id=command.lineage.run_id, pipeline=command.lineage.pipeline)
    remove_image(image, registry=registry, images=images)
    images.forget(run_id)
    raise PermanentError(f"run {run_id} was cancelled while its image was built", code=Code.RUN_CANCELLED)
