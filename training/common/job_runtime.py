"""What every training process on the VM does around a pipeline's ``train.py`` and ``score.py``.

Read the snapshot from the hub, fit, evaluate on the hold-out, log the metrics through Azure ML, and leave in
``outputs/``::

    metrics.json        the metrics that were logged
    model/              what train.save() wrote
    model/smoke.json    a made-up request, the answer that the deployed model must give to it, and the tolerance

Standard output and error end up in the cloud beside the run. Therefore nothing here prints a value from the data, and a
fault in code that has seen the data is shown by its type and place only: exception texts like to quote their input.
"""

import argparse
import json
import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from hub_reader import BlobRef, HubError, HubReader, Manifest, load_site
from strict_csv import DataError, Labels, Matrix, Table, joined, read_table

FAILURE_TAG = "edgetrain.failure"  # where the driver finds why a training failed
OUTPUTS = Path("outputs")  # collected by Azure ML when the process ends
SMOKE_TOLERANCE = 1e-6
READERS = 8  # blobs read side by side; who reads many small ones mostly waits for the hub


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
        """Every label there can be."""

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` for parameters that ``fit`` does not understand; its text is shown to people."""

    def fit(self, features: Matrix, labels: Labels, parameters: Mapping[str, Any]) -> Any:
        """Train a model; the same input gives the same model."""

    def evaluate(self, model: Any, features: Matrix, labels: Labels) -> dict[str, float]:
        """Metrics on rows that the model has not seen."""

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


class TrainingError(Exception):
    """Why the training stops, in words fit for the cloud."""


def azure_ml_run() -> Any:
    """The Azure ML run that this process is; an error if it is none, because offline would lose the metrics."""
    from azureml.core import Run

    return Run.get_context(allow_offline=False)


def run_job(
    learner: Learner,
    scorer: Scorer,
    arguments: Sequence[str] | None = None,
    *,
    open_run: Callable[[], Any] = azure_ml_run,
) -> int:
    """Do the whole job as the command line asks; the exit status is 0 only if everything was written."""
    options = _options(arguments)
    run = open_run()
    try:
        metrics = _train(learner, scorer, options)
    except (TrainingError, DataError, HubError) as failure:
        return _fail(run, str(failure))
    except Exception as error:  # noqa: BLE001 - whatever a data scientist's code raises
        print("".join(traceback.format_tb(error.__traceback__)), file=sys.stderr)  # places and source, no values
        return _fail(run, _withheld(error))
    for name, value in sorted(metrics.items()):
        run.log(name, value)
    run.flush()  # metrics travel in the background, and this process is about to end
    print("done", flush=True)
    return 0


def _fail(run: Any, reason: str) -> int:
    print(f"failed: {reason}", file=sys.stderr, flush=True)
    run.set_tags({FAILURE_TAG: reason})
    return 1


def _withheld(error: Exception) -> str:
    """Type and place of an exception: the last line of ours that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    here = Path(__file__).parent
    ours = [frame for frame in frames if Path(frame.filename).parent == here] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}"
    return f"{type(error).__name__} at {place}; its text is withheld, because it may quote the data"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one model on one snapshot.", allow_abbrev=False)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--site", required=True, help="names the file with the hub's credentials on this VM")
    parser.add_argument("--manifest-container", required=True)
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--container", required=True, help="where the data lies")
    parser.add_argument("--parameters", required=True, type=json.loads, help="a JSON object for train.fit")
    return parser.parse_args(arguments)


def _train(learner: Learner, scorer: Scorer, options: argparse.Namespace) -> dict[str, float]:
    try:
        learner.check(options.parameters)
    except ValueError as error:
        raise TrainingError(str(error)) from None  # parameters come from the pipeline's file, not from the data
    hub = HubReader(load_site(options.site, home=Path.home()))
    manifest = hub.manifest(options.manifest_container, options.manifest)
    if manifest.container != options.container:
        raise HubError(f"manifest {options.manifest} is about container {manifest.container}, not {options.container}")
    training, holdout = _read(hub, manifest, learner)

    started = time.monotonic()
    model = learner.fit(training.features, training.labels, options.parameters)
    print(f"fitted in {time.monotonic() - started:.1f} s", flush=True)
    metrics = learner.evaluate(model, holdout.features, holdout.labels)
    _check(metrics)
    _write(learner, scorer, model, training, metrics)
    return metrics


def _read(hub: HubReader, manifest: Manifest, learner: Learner) -> tuple[Table, Table]:
    if not manifest.blobs:
        raise DataError("the snapshot lists no file to train on")
    classes = set(learner.CLASSES)

    def read(blob: BlobRef) -> Table:
        chunks = hub.chunks(manifest.container, blob)
        return read_table(blob.name, chunks, features=learner.FEATURES, label=learner.LABEL, classes=classes)

    blobs, tables = (*manifest.blobs, manifest.holdout), []
    with ThreadPoolExecutor(READERS) as readers:
        for blob, table in zip(blobs, readers.map(read, blobs), strict=True):  # in this order, whoever is first
            print(f"read {blob.name}: {len(table.labels)} rows, {blob.size} bytes", flush=True)
            tables.append(table)
    return joined(tables[:-1]), tables[-1]


def _write(learner: Learner, scorer: Scorer, model: Any, training: Table, metrics: dict[str, float]) -> None:
    folder = OUTPUTS / "model"
    folder.mkdir(parents=True, exist_ok=True)
    learner.save(model, folder)
    # Medians column by column are nobody's record, so the request may leave the site with the model.
    request = scorer.sample([float(value) for value in np.median(training.features, axis=0)])
    smoke = {"request": request, "response": scorer.answer(scorer.load(folder), request), "tolerance": SMOKE_TOLERANCE}
    _write_json(folder / "smoke.json", smoke)
    _write_json(OUTPUTS / "metrics.json", metrics)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _check(metrics: Mapping[str, float]) -> None:
    unusable = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if unusable:
        raise TrainingError(f"evaluate() gave no finite number for {', '.join(unusable)}")
