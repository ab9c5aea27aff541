"""What differs from git's HEAD and counts for a training: code, lock, parameters. So whether anything would train."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.validation.findings import Finding, FindingCode, note, unchecked
from shared.errors import PermanentError
from shared.pipelines import Pipeline, parse_pipeline
from shared.training_code.job_folders import JobFolders
from shared.training_code.job_trees import JobTree

_GIT_SECONDS = 30.0
_MOST_NAMES = 6


def change_findings(root: Path, pipeline: Pipeline, tree: JobTree) -> Iterator[Finding]:
    """Notes about what a deployment of this checkout would change for the pipeline, compared with HEAD."""
    file = f"pipelines/{pipeline.name}.yaml"
    try:
        with TemporaryDirectory(prefix="edgetrain-head-") as folder:
            _unpack_head(root, Path(folder))
            yield from _compared(Path(folder), file, pipeline, tree)
    except (OSError, subprocess.SubprocessError, tarfile.TarError):
        yield unchecked(file, "what differs from git's HEAD, because there is no git repository here")


def _unpack_head(root: Path, into: Path) -> None:
    """Write the committed pipelines and training code, as they are below ``root``, into a folder."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD", "--", "pipelines", "training"],
        cwd=root,
        check=True,
        capture_output=True,
        timeout=_GIT_SECONDS,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(into, filter="data")


def _compared(head: Path, file: str, pipeline: Pipeline, tree: JobTree) -> Iterator[Finding]:
    folder = f"training/{pipeline.train.folder}"
    try:
        committed = parse_pipeline((head / file).read_text(encoding="utf-8"), source=file)
        before = JobFolders(head).read(committed.train.folder)
    except (OSError, PermanentError):
        yield note(FindingCode.CHANGED, file, "new: git's HEAD has no such pipeline, so its first data train it")
        return
    changed = _differing(before, tree)
    if changed:
        yield note(FindingCode.CHANGED, folder, f"code differs from HEAD ({_listed(changed)}); {_then(pipeline)}")
    if before.pins != tree.pins:
        image = f"`edgetrain dependency-image --pipeline {pipeline.name}`"
        what = f"the lock differs from HEAD; {_then(pipeline)}, once {image} has made its image"
        yield note(FindingCode.CHANGED, f"{folder}/requirements.txt", what)
    if committed.train.parameters != pipeline.train.parameters:
        yield note(FindingCode.CHANGED, file, f"train.parameters differ from HEAD; {_then(pipeline)}")


def _differing(before: JobTree, now: JobTree) -> list[str]:
    names = before.files.keys() | now.files.keys()
    return sorted(name for name in names if before.files.get(name) != now.files.get(name))


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _then(pipeline: Pipeline) -> str:
    if "code" in pipeline.retrain_on:
        return "the data train again by themselves, because of retrain_on"
    return "the next data train with it; the same data only when they are asked for"
