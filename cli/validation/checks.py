"""Everything that can be found wrong with pipelines before anything runs."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from cli.validation.changes import change_findings
from cli.validation.code import SAMPLE, SCORE, code_findings, program_of, sample_findings
from cli.validation.findings import Finding, FindingCode, Level, PipelineReport, error, note, unchecked, warning
from cli.validation.locks import lock_findings, read_lock, resolve_findings
from cli.validation.names import surroundings
from shared.decisions.arrivals.watched_blobs import below_prefix
from shared.errors import PermanentError
from shared.pipelines import Pipeline, Pipelines, Surroundings
from shared.training_code.job_folders import JobFolders

SERVING = "training/common/requirements-serving.in"


class Validation:
    """Looks at the pipelines of a folder. ``environment``: variables, among which may be the app's settings."""

    def __init__(self, root: Path, environment: Mapping[str, str], *, resolve: bool = False) -> None:
        self._root = root
        self._around: Surroundings | None = surroundings(root, environment)
        self._resolve = resolve
        self._pipelines = Pipelines(root / "pipelines", around=self._around)

    @property
    def names(self) -> list[str]:
        """Every pipeline, and every file that is none."""
        return sorted([*(each.name for each in self._pipelines.all), *self._pipelines.broken])

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._pipelines.has_file(name)

    def report(self, name: str) -> PipelineReport:
        """What is found about one pipeline or broken file."""
        try:
            pipeline = self._pipelines.get(name)
        except PermanentError as problem:
            where = name if "." in name or name.endswith("/") else f"{name}.yaml"
            what = problem.reason.removeprefix(f"{where}: ").removeprefix(f"{name}: ")
            return PipelineReport(name=name, findings=(error(FindingCode.BAD_FILE, f"pipelines/{where}", what),))
        found = list(self._findings(pipeline))
        wrong = any(finding.level is Level.ERROR for finding in found)
        found += self._against_head(pipeline, known_wrong=wrong)
        return PipelineReport(name=name, findings=tuple(found))

    def _findings(self, pipeline: Pipeline) -> Iterator[Finding]:
        file = f"pipelines/{pipeline.name}.yaml"
        if self._around is None:
            yield unchecked(file, "whether site, compute and targets exist, because the app's settings are not here")
        yield from _of_the_file(pipeline, file)
        for what in self._pipelines.overlaps(pipeline.name):
            yield warning(FindingCode.OVERLAP, file, what)
        yield from self._of_the_folder(pipeline)

    def _of_the_folder(self, pipeline: Pipeline) -> Iterator[Finding]:
        folder = pipeline.train.folder
        shown = f"training/{folder}"
        own = self._root / shown
        if not own.is_dir():
            yield error(FindingCode.FILE_MISSING, shown, "is missing; add it, or correct train.folder")
            return
        lock = own / "requirements.txt"
        sources = (f"{shown}/requirements.in", SERVING)
        yield from lock_findings(self._root, lock=f"{shown}/requirements.txt", sources=sources)
        if self._resolve:
            yield from resolve_findings(self._root, lock=f"{shown}/requirements.txt", sources=sources)
        yield from _missing(pipeline, own, self._root / "training" / "common", shown)
        sample = own / SAMPLE
        yield from sample_findings(sample.read_bytes() if sample.is_file() else None, shown=shown)
        pins = read_lock(lock.read_text(encoding="utf-8", errors="replace")).pins if lock.is_file() else None
        common = self._root / "training" / "common"
        yield from code_findings(_python_files(own), _python_files(common), pins, shown=shown)

    def _against_head(self, pipeline: Pipeline, *, known_wrong: bool) -> Iterator[Finding]:
        try:
            tree = JobFolders(self._root).read(pipeline.train.folder)
        except PermanentError as problem:
            if not known_wrong:
                yield error(FindingCode.BAD_FOLDER, f"training/{pipeline.train.folder}", problem.reason)
            return
        yield from change_findings(self._root, pipeline, tree)


def _of_the_file(pipeline: Pipeline, file: str) -> Iterator[Finding]:
    data, marker = pipeline.data, pipeline.settle.done_marker
    if data.prefix and below_prefix(data, data.holdout):
        what = (
            f"data.holdout: {data.holdout} lies below data.prefix; it is never trained on all the same, but its arrival"
            " opens a window as data do: a place outside the prefix is clearer"
        )
        yield warning(FindingCode.HOLDOUT_BELOW_PREFIX, file, what)
    if marker is not None and data.prefix and marker.startswith(data.prefix):
        short = marker.removeprefix(data.prefix)
        what = f"settle.done_marker: is looked for below data.prefix, so at {data.prefix}{marker}; write {short}"
        yield warning(FindingCode.DONE_MARKER, file, what)
    if pipeline.train.quarantine_after == 1:
        what = "train.quarantine_after: one failure for data or code quarantines them; 3 is the default"
        yield note(FindingCode.QUARANTINE, file, what)


def _missing(pipeline: Pipeline, own: Path, common: Path, shown: str) -> Iterator[Finding]:
    for field, command in commands_of(pipeline).items():
        program = program_of(shlex.split(command))
        if program and not any((place / program).is_file() for place in (own, common)):
            what = f"is missing, and {field} runs it; add it, or correct {field}"
            yield error(FindingCode.FILE_MISSING, f"{shown}/{program}", what)
    if not any((place / SCORE).is_file() for place in (own, common)):
        what = "is missing; it answers scoring requests, see docs/add-a-pipeline.md"
        yield error(FindingCode.FILE_MISSING, f"{shown}/{SCORE}", what)


def commands_of(pipeline: Pipeline) -> dict[str, str]:
    """Field of the pipeline's file -> the command in it."""
    return {"train.command": pipeline.train.command, "evaluate.command": pipeline.evaluate.command}


def _python_files(folder: Path) -> dict[str, bytes]:
    """The Python files of a training folder, tests aside."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*.py"))}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in files.items()
        if not {"tests", "__pycache__"} & set(name.parts) and not name.name.startswith("test_")
    }
