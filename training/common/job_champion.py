"""Measures the champion's model beside the new one: in the same process, on the same rows, with the same code.

Metrics of two trainings cannot be compared when the hold-out or ``evaluate()`` changed between them. So the champion's
model is downloaded from its own run's outputs, with this run's rights in the workspace, and evaluated again. An error
here never fails the training: the app gets the reason why there is no number. Writes ``outputs/champion.json``, which
the app reads by name::

    {"run_id": "...", "metrics": {"log_loss": 0.09}, "trouble": ""}
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from job_failures import JobError, bounded, failure_of
from job_metrics import finite_numbers
from job_report import Report
from strict_csv import Table

PREFIX = "champion."  # of the metrics that show the champion's numbers in Azure ML; no metric of a pipeline begins so
FILE = "champion.json"
MODEL = "outputs/model"  # where every job leaves its model
CHECKSUMS = "outputs/checksums.json"
MOST_FILES = 5_000
MOST_BYTES = 8 * 1024**3
LONGEST_REASON = 300  # characters

_LONGEST_PART = 200


class Evaluate(Protocol):
    """The pipeline's own ``evaluate()``."""

    def __call__(self, model: Any, features: Any, labels: Any) -> Mapping[str, Any]:
        """Metrics on rows that the model was not trained on."""


class FetchError(JobError):
    """The champion's model cannot be downloaded; the text is safe for the cloud."""


def measured(
    run: Any, champion: str, *, load: Callable[[Path], Any], evaluate: Evaluate, holdout: Table, report: Report
) -> dict[str, Any]:
    """The content of ``outputs/champion.json``. ``run``: this run, whose workspace has the champion's."""
    metrics: dict[str, float] = {}
    trouble = ""
    try:
        with TemporaryDirectory(prefix=".champion-", dir=Path.cwd()) as folder:
            fetch(run, champion, Path(folder))
            evaluated = evaluate(load(Path(folder)), holdout.features, holdout.labels)
        metrics = finite_numbers(evaluated, Report(say=_nothing))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an old model does to newer code
        trouble = bounded(f"its model could not be measured again: {failure_of(error).reason}", LONGEST_REASON)
    report.say(f"the champion, run {champion}: {trouble or 'measured on the same rows'}")
    return {"run_id": champion, "metrics": metrics, "trouble": trouble}


def fetch(run: Any, champion: str, into: Path) -> None:
    """Download the champion's model into a folder; raises :class:`FetchError`, or an error of Azure ML's SDK."""
    theirs = run.experiment.workspace.get_run(champion)
    names = [str(name) for name in theirs.get_file_names()]
    paths = {name: _path(name) for name in names if name.startswith(f"{MODEL}/")}
    if not paths:
        raise FetchError(f"run {champion} has no files under {MODEL}/ any more")
    if len(paths) > MOST_FILES:
        raise FetchError(f"run {champion} has {len(paths)} files under {MODEL}/, and at most {MOST_FILES} are taken")
    known = _checksums(theirs, names, into)
    left = MOST_BYTES
    for name, path in sorted(paths.items()):
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        theirs.download_file(name, output_file_path=str(target))
        left -= target.stat().st_size
        if left < 0:
            raise FetchError(f"the model of run {champion} has more than {MOST_BYTES >> 30} GiB")
        _require_whole(target, known.get(f"model/{path}"), name)


def _path(name: str) -> str:
    """The relative path below the model's folder, if it is a plain one: the other run's job chose the name."""
    path = name.removeprefix(f"{MODEL}/")
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and PurePosixPath(path).as_posix() == path
    if not plain or any(part in {"", ".", ".."} or len(part.encode()) > _LONGEST_PART for part in parts):
        raise FetchError(f"a file of the model has a name that is not a plain path: {bounded(ascii(name), 100)}")
    return path


def _checksums(theirs: Any, names: list[str], folder: Path) -> dict[str, Any]:
    """Size and MD5 of each file from that job's own list; empty for jobs from before there was one."""
    if CHECKSUMS not in names:
        return {}
    with TemporaryDirectory(prefix="checksums-", dir=folder.parent) as place:
        file = Path(place) / "checksums.json"
        theirs.download_file(CHECKSUMS, output_file_path=str(file))
        found = json.loads(file.read_bytes())
    return found if isinstance(found, dict) else {}


def _require_whole(file: Path, wanted: Any, name: str) -> None:
    if not isinstance(wanted, dict):
        return
    with file.open("rb") as content:
        md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if (file.stat().st_size, md5) != (wanted.get("size"), wanted.get("md5")):
        raise FetchError(f"{bounded(ascii(name), 100)} was changed on the way")


def _nothing(_: str) -> None:
    """A sink for reports of the champion's non-finite metrics, which were reported by its own training."""
