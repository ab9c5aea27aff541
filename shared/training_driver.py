"""What stands between a run and whatever trains for it.

A driver starts one process per training on a compute target, and tells later how it went. The one that exists speaks to
Azure ML (``shared.clients.azure_ml``). Others fit the same six methods:

* an agent on the VM that only dials out: ``submit`` writes the job where the agent polls, ``check`` reads its report;
* Kubernetes: ``submit`` creates a Job named after the run, ``check`` reads its conditions.

What every driver owes its callers:

* The run id is chosen by the caller. ``submit`` may be called again, also after a crash; it starts one training.
* Nothing blocks until a training ends: the caller polls with durable timers.
* Errors are :class:`shared.errors.TransientError` or :class:`shared.errors.PermanentError`, never the vendor's own.
* A failed training is a status, not an error; its ``detail`` is fit to be shown and quotes no data.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.messages import ReceiptSummary, TrainedModel, TrainingRef, TrainingStatus
from shared.training_code.job_trees import JobTree


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One training, in terms that every driver understands.

    ``code``: the files to run; ``order``: what the job that is installed on the compute target is asked, see
    :mod:`shared.wire_contracts.job_order`.
    After ``most_seconds`` of running the driver's side should end it by itself: a backstop for the case that nobody
    polls any more. ``traceparent``: the span that it belongs to; empty where that is not known.
    """

    run_id: str
    pipeline: str
    compute: str
    code: JobTree
    order: str
    most_seconds: int
    tags: dict[str, str] = field(default_factory=dict)
    traceparent: str = ""


class TrainingDriver(Protocol):
    """Starts trainings and reports their status."""

    def submit(self, job: TrainingJob) -> TrainingStatus:
        """Start the job, or find it if it was started before."""

    def check(self, training: TrainingRef) -> TrainingStatus:
        """The status of a training; raises :class:`PermanentError` (training_unknown) if it was never started."""

    def cancel(self, training: TrainingRef) -> None:
        """Request a training to stop; no error if it has ended. ``check`` shows when it has stopped."""

    def collect(self, training: TrainingRef) -> TrainedModel:
        """The results of a completed training: its metrics, always including those in ``training.metrics``.

        Raises :class:`PermanentError`: training_output_missing without a model, training_output_refused when its files
        have names that cannot become paths, receipt_refused when the receipt's signature is not the site's.
        """

    def receipt(self, training: TrainingRef) -> ReceiptSummary | None:
        """What left the site with an ended training; None when it left no receipt.

        Raises :class:`PermanentError` (receipt_refused) when its signature is not the site's.
        """

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        """Write the files below ``model_path`` in a training's outputs into a folder, without that prefix.

        Nothing when there is nothing. Raises :class:`PermanentError` (training_output_refused) for names that cannot
        become paths, and for more files or bytes than a model may have (``shared.decisions.training.artifact_names``).
        """
