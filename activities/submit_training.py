"""Submit the training of a run to the training driver, once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from shared.errors import Code, PermanentError
from shared.messages import Cancellation, FrozenJob, TrainingOrder, TrainingRef, TrainingStatus
from shared.oci.references import ImageName
from shared.training_code.job_trees import JobTree
from shared.training_code.scoring_images import scoring_parts
from shared.training_driver import TrainingDriver, TrainingJob
from shared.values.traces import FIELD
from shared.wire_contracts.job_order import order_text

Trusted = Callable[[str], None]
"""Refuses an image (signature_refused) unless it, and the dependency image that it is on, was signed."""
GRACE_SECONDS = 600  # longer than the run's own limit, so that the orchestration cancels first and records why


class RunCode(Protocol):
    """Reads the code of admitted runs."""

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        """The code that the run was admitted with; raises :class:`shared.errors.PermanentError` when it is gone."""


class DependencyImages(Protocol):
    """Finds dependency images."""

    def reference(self, name: ImageName, *, pipeline: str) -> str:
        """The pinned image by digest; raises :class:`shared.errors.PermanentError` when it is not there, or moved."""


class Runs(Protocol):
    """Knows which runs are to end."""

    def cancellation(self, run_id: str) -> Cancellation | None:
        """Who wants the run to end; None when nobody does."""


def submit_training(
    order: TrainingOrder,
    *,
    driver: TrainingDriver,
    code: RunCode,
    images: DependencyImages,
    trusted: Trusted,
    runs: Runs,
) -> TrainingStatus:
    """Submit the order; a repeat returns the training that the first call started.

    It trains in the dependency image of its code, by digest. An order from before sealed training starts nothing any
    more: what it started is found, otherwise :class:`PermanentError` (admitted_before) leads to a new attempt.
    The champion's model is measured beside the new one in its own image, which runs on the VM: only when its signature
    holds, as before it is served. Else the training goes without it, and the status says why.
    A run that was cancelled meanwhile starts nothing either (run_cancelled). Who undoes it may have looked for the
    training before it was submitted, so that is asked again afterwards.
    """
    _refuse_cancelled(order, runs)
    if order.workload is None or order.running_seconds is None:
        return _started_before(order, driver)
    trusted_order, unmeasured = _with_trusted_champion(order, trusted)
    tree, limit = code.of(order.pipeline, order.job), max(1, int(order.running_seconds))
    image = images.reference(scoring_parts(tree).dependency_image, pipeline=order.pipeline)
    job = TrainingJob(
        run_id=order.run_id,
        pipeline=order.pipeline,
        compute=order.compute,
        code=tree,
        order=order_text(trusted_order, order.workload, image=image, seconds=limit),
        most_seconds=limit + GRACE_SECONDS,
        tags={
            "pipeline": order.pipeline,
            "fingerprint": order.fingerprint,
            "snapshot": order.snapshot.digest,
            "holdout": order.snapshot.holdout,
            "evaluator": order.evaluator,
            **({FIELD: order.traceparent} if order.traceparent else {}),
        },
        traceparent=order.traceparent,
    )
    status = replace(driver.submit(job), unmeasured=unmeasured)
    try:
        _refuse_cancelled(order, runs)
    except PermanentError:
        driver.cancel(TrainingRef(run_id=order.run_id, pipeline=order.pipeline))
        raise
    return status


def _with_trusted_champion(order: TrainingOrder, trusted: Trusted) -> tuple[TrainingOrder, str]:
    """The order without a champion whose image is refused, and why."""
    if not order.champion or not order.champion_image:
        return order, ""
    try:
        trusted(order.champion_image)
    except PermanentError as error:
        if error.code is not Code.SIGNATURE_REFUSED:
            raise
        return replace(order, champion=None, champion_image=""), error.reason
    return order, ""


def _refuse_cancelled(order: TrainingOrder, runs: Runs) -> None:
    if runs.cancellation(order.run_id) is not None:
        raise PermanentError(f"run {order.run_id} was cancelled before its training began", code=Code.RUN_CANCELLED)


def _started_before(order: TrainingOrder, driver: TrainingDriver) -> TrainingStatus:
    try:
        return driver.check(TrainingRef(run_id=order.run_id, pipeline=order.pipeline))
    except PermanentError as error:
        if error.code is not Code.TRAINING_UNKNOWN:
            raise
    reason = "the run was admitted by an older version of the app, whose trainings this one does not start"
    raise PermanentError(f"{reason}; it is started again", code=Code.ADMITTED_BEFORE)
