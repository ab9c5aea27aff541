"""What `edgetrain validate` finds, and how it is shown: for people, and as one JSON document."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.values.texts import one_line


class Level(StrEnum):
    """What a finding means for the pipeline."""

    ERROR = "error"
    """It would not run, or not as written."""
    WARNING = "warning"
    """It runs, and is probably not what was meant."""
    NOTE = "note"
    """Nothing is wrong; worth knowing."""
    UNCHECKED = "not checked"
    """This could not be looked at here."""


class FindingCode(StrEnum):
    """What kind of thing was found; stable, because scripts read it in ``--json``."""

    BAD_FILE = "bad_file"
    BAD_FOLDER = "bad_folder"
    OVERLAP = "overlap"
    HOLDOUT_BELOW_PREFIX = "holdout_below_prefix"
    DONE_MARKER = "done_marker"
    QUARANTINE = "quarantine"
    FILE_MISSING = "file_missing"
    DOES_NOT_COMPILE = "does_not_compile"
    ENTRY_POINT_MISSING = "entry_point_missing"
    BAD_SAMPLE = "bad_sample"
    IMPORT_WITHOUT_PIN = "import_without_pin"
    LOCK_MISSING = "lock_missing"
    LOCK_STALE = "lock_stale"
    LOCK_CLASH = "lock_clash"
    LOCK_WITHOUT_HASHES = "lock_without_hashes"
    CANNOT_BE_RESOLVED = "cannot_be_resolved"
    CHANGED = "changed"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. ``where``: file, line or field. ``what``: the cause, and what to do about it."""

    level: Level
    code: FindingCode
    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineReport:
    """What was found about one pipeline; ``name`` may be that of a file that is no pipeline."""

    name: str
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def valid(self) -> bool:
        """Whether it can run as it is."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


def error(code: FindingCode, where: str, what: str) -> Finding:
    """A finding that keeps the pipeline from running."""
    return Finding(level=Level.ERROR, code=code, where=where, what=what)


def warning(code: FindingCode, where: str, what: str) -> Finding:
    """A finding that is probably a slip."""
    return Finding(level=Level.WARNING, code=code, where=where, what=what)


def note(code: FindingCode, where: str, what: str) -> Finding:
    """A finding that is worth knowing."""
    return Finding(level=Level.NOTE, code=code, where=where, what=what)


def unchecked(where: str, what: str) -> Finding:
    """What could not be looked at here."""
    return Finding(level=Level.UNCHECKED, code=FindingCode.NOT_CHECKED, where=where, what=what)


def as_json(reports: Iterable[PipelineReport]) -> dict[str, Any]:
    """The document of ``--json``."""
    listed = list(reports)
    return {
        "valid": all(report.valid for report in listed),
        "pipelines": [
            {
                "name": report.name,
                "valid": report.valid,
                "findings": [
                    {"level": each.level.value, "code": each.code.value, "where": each.where, "what": each.what}
                    for each in report.findings
                ],
            }
            for report in listed
        ],
    }


def as_lines(reports: Iterable[PipelineReport]) -> Iterator[str]:
    """What a person reads: a line per pipeline, and one for each finding below it."""
    for report in reports:
        yield f"{report.name}: {_verdict(report)}"
        for finding in report.findings:
            yield f"  {finding.level.value:<11}  {one_line(finding.where)}: {one_line(finding.what)}"


def _verdict(report: PipelineReport) -> str:
    counted = Counter(finding.level for finding in report.findings)
    said = [
        f"{counted[level]} {level.value}{'s' if counted[level] > 1 else ''}"
        for level in (Level.ERROR, Level.WARNING)
        if counted[level]
    ]
    return ", ".join(said) or "nothing wrong"
