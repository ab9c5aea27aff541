"""What every training process on the VM does around a pipeline's ``train.py`` and ``score.py``.

Read the snapshot from the hub, fit, evaluate on the hold-out, log the metrics through Azure ML, and leave in
``outputs/``::

    metrics.json        the metrics that were logged
    model/              what train.save() wrote
    model/smoke.json    a made-up request, the answer that the deployed model must give to it, and the tolerance
    champion.json       what the same rows and the same code make of the champion's model, see job_champion
    checksums.json      size and MD5 of all of these, for whoever downloads them

How its output is kept on the VM, and what is reported of a failure: ``job_guard``, ``job_output`` and ``job_failures``.
"""

import argparse
import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import job_champion
import numpy as np
from hub_reader import HubError, HubReader, load_site
from job_failures import OutsideError, TrainingError
from job_guard import FAILURE_TAG, KIND_TAG, azure_ml_run, run_guarded
from job_metrics import finite_numbers
from job_output import Output
from job_report import Report
from job_snapshot import Columns, read_snapshot
from strict_csv import Labels, Matrix, Table

__all__ = ["FAILURE_TAG", "KIND_TAG", "do_job", "run_job"]

OUTPUTS = Path("outputs")  # collected by Azure ML when the process ends
SMOKE_TOLERANCE = 1e-6


class Learner(Protocol):
    """What a ``train.py`` offers; a module fulfils it."""

    @property
    def FEATURES(self) -> Sequence[str]:  # noqa: N802 - constants of a module
        """Columns to read, in the order in which ``fit`` gets them."""

    @property
    def LABEL(self) -> str:  # noqa: N802
        """The column with the label."""

    @property
    def CLASSES(self) -> Sequence[int]:  # noqa: N802
        """Every label there can be, of each of which there must be a row to train on.

        A learner that can do without some has ``NEEDED_CLASSES`` besides.
        """

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` for parameters that ``fit`` does not understand; its text is shown to people."""

    def fit(self, features: Matrix, labels: Labels, parameters: Mapping[str, Any]) -> Any:
        """Train a model; the same input gives the same model."""

    def evaluate(self, model: Any, features: Matrix, labels: Labels) -> Mapping[str, Any]:
        """Metrics on rows that the model has not seen, numbers by name."""

    def save(self, model: Any, folder: Path) -> None:
        """Write the model where ``score.py`` will look for it."""


class Scorer(Protocol):
    """What a ``score.py`` offers besides ``init`` and ``run``: the same answers without a server."""

    def load(self, folder: Path) -> Any:
        """Read what ``train.save`` wrote."""

    def sample(self, medians: Sequence[float]) -> Any:
        """A request whose only row has these features."""

    def answer(self, model: Any, request: Any) -> Any:
        """The JSON answer to a request."""


def run_job(
    learner: Learner,
    scorer: Scorer,
    arguments: Sequence[str] | None = None,
    *,
    open_run: Callable[[], Any] = azure_ml_run,
) -> int:
    """Do the whole job as the command line asks; the exit status is 0 only if everything was written.

    For a ``job.py`` that imports its learner itself. What goes wrong before this call is not kept from the cloud.
    """

    def work(run: Any, output: Output, options: argparse.Namespace) -> None:
        do_job(learner, scorer, run, output, options)

    return run_guarded(work, arguments, open_run=open_run)


def do_job(learner: Learner, scorer: Scorer, run: Any, output: Output, options: argparse.Namespace) -> None:
    """Train, and tell Azure ML; raises whatever goes wrong."""
    report = Report(say=output.say)
    try:
        metrics = _train(learner, scorer, run, options, report)
    except BaseException:
        with contextlib.suppress(Exception):  # the failure itself is what matters
            report.tag(run)
        raise
    _to_azure_ml(lambda: _log(run, metrics, report))


def _log(run: Any, metrics: Mapping[str, float], report: Report) -> None:
    report.tag(run)
    for name, value in sorted(metrics.items()):
        run.log(name, value)
    run.flush()  # metrics travel in the background, and this process is about to end


def _to_azure_ml(tell: Callable[[], None]) -> None:
    try:
        tell()
    except Exception as error:
        raise OutsideError(
            f"the training's outcome could not be reported to Azure ML ({type(error).__name__})"
        ) from error


def _train(learner: Learner, scorer: Scorer, run: Any, options: argparse.Namespace, report: Report) -> dict[str, float]:
    """The metrics to log: the new model's, and the champion's under names of their own."""
    try:
        learner.check(options.parameters)
    except ValueError as error:
        raise TrainingError(str(error)) from None  # parameters come from the pipeline's file, not from the data
    training, holdout = _read(learner, options, report)

    started = time.monotonic()
    model = learner.fit(training.features, training.labels, options.parameters)
    report.say(f"fitted in {time.monotonic() - started:.1f} s")
    evaluated = learner.evaluate(model, holdout.features, holdout.labels)
    metrics = finite_numbers(evaluated, report, judged=options.judged_metric)
    _write(learner, scorer, model, training, metrics)
    shown = dict(metrics)
    if options.champion:
        # Last, when the new model is safe: an old one may do anything to this process.
        beside = job_champion.measured(
            run, options.champion, load=scorer.load, evaluate=learner.evaluate, holdout=holdout, report=report
        )
        _write_json(OUTPUTS / job_champion.FILE, beside)
        shown |= {f"{job_champion.PREFIX}{name}": value for name, value in beside["metrics"].items()}
    _write_json(OUTPUTS / "checksums.json", _checksums(OUTPUTS))
    return shown


def _read(learner: Learner, options: argparse.Namespace, report: Report) -> tuple[Table, Table]:
    hub = HubReader(load_site(options.site, home=Path.home()))
    manifest = hub.manifest(options.manifest_container, options.manifest)
    if manifest.container != options.container:
        raise HubError(f"manifest {options.manifest} is about container {manifest.container}, not {options.container}")
    columns = Columns(
        features=learner.FEATURES,
        label=learner.LABEL,
        classes=frozenset(learner.CLASSES),
        needed=frozenset(getattr(learner, "NEEDED_CLASSES", learner.CLASSES)),
    )
    return read_snapshot(hub, manifest, columns, report, leave_out_faulty=options.on_bad_file == "leave_out")


def _write(learner: Learner, scorer: Scorer, model: Any, training: Table, metrics: Mapping[str, float]) -> None:
    folder = OUTPUTS / "model"
    folder.mkdir(parents=True, exist_ok=True)
    learner.save(model, folder)
    # Medians column by column are nobody's record, so the request may leave the site with the model.
    request = scorer.sample([float(value) for value in np.median(training.features, axis=0)])
    smoke = {"request": request, "response": scorer.answer(scorer.load(folder), request), "tolerance": SMOKE_TOLERANCE}
    try:
        _write_json(folder / "smoke.json", smoke)
    except (TypeError, ValueError):
        plain = "lists, dicts, texts and finite numbers of Python; turn numpy's into them with tolist() or float()"
        raise TrainingError(f"score.sample() and score.answer() must give what JSON can hold: {plain}") from None
    _write_json(OUTPUTS / "metrics.json", dict(metrics))


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _checksums(folder: Path) -> dict[str, dict[str, object]]:
    """Path below the folder -> size in bytes and MD5 in hex, read back from the disk."""
    found: dict[str, dict[str, object]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            found[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "md5": md5}
    return found
