"""The whole look at a model: here with numpy alone, and in the box with the libraries that the model was made with.

The box is a container of the pipeline's dependency image without network, which gets the model, the data and this
package, all read-only. There a pipeline of scikit-learn is loaded, to look for the rows as its steps make them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import site_agent
from site_agent.job.guard import findings as names
from site_agent.job.guard.contents import ModelFile
from site_agent.job.guard.findings import Finding
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.receipt import FAILED, NOT_APPLICABLE, PASSED, Check
from site_agent.job.guard.rows import Sought, look, short_of_rows, sought
from site_agent.job.guard.samples import Reference, Samples, read_samples
from site_agent.job.guard.shapes import Scales, scales_of
from site_agent.job.guard.words import TextsOfTheData
from site_agent.job.policy import PipelineRule

STEPS: Final = "rows_after_each_step"
_WAIVED: Final = "waived"
PACKAGE: Final = "/edgetrain/guard/site_agent"
PROGRAM: Final = f"{PACKAGE}/job/guard/box.py"
MODEL, DATA, ANSWER = "/edgetrain/model", "/edgetrain/data", "/edgetrain/answer/answer.json"
LARGEST_ANSWER: Final = 64 * 1024
SECONDS: Final = 600
_MOST_FINDINGS: Final = 50
_CHECKS: Final = (names.ROWS, names.SHAPES, names.PER_ROW, names.LEAST_ROWS, names.WORDS)
_SAID: Final = re.compile(r"[A-Za-z0-9_ ,.()*:/-]{1,200}")


class BoxError(Exception):
    """The box could not look. The text is ours: it ran out of memory or time, or ended with a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTask:
    """A program for the box. ``mounts``: folders of the VM by their place in the container, read-only.

    The folder of :data:`ANSWER` is there besides, empty and writable; ``most_bytes`` is what the answer may have.
    """

    arguments: tuple[str, ...]
    mounts: Mapping[str, Path]
    seconds: int = SECONDS
    most_bytes: int = LARGEST_ANSWER


class Box(Protocol):
    """Runs a program in the dependency image without network."""

    def __call__(self, task: BoxTask) -> bytes:
        """What the program wrote to :data:`ANSWER`; raises :class:`BoxError`."""
        ...


@dataclass(slots=True)
class Look:
    """What was found. ``details``: by check, what was looked at; ``others``: checks with a result of their own.

    ``texts``: what no name that is shown may hold, unless the site's policy waives the look at rows.
    """

    findings: list[Finding] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    others: list[Check] = field(default_factory=list)
    texts: list[TextsOfTheData] = field(default_factory=list)

    def shown(self, name: str) -> str:
        """A name as it may be shown: without texts of the data."""
        for texts in self.texts:
            name = texts.without(name)
        return name


def inspect(
    files: Sequence[ModelFile],
    others: Sequence[tuple[str, Recognised]],
    reference: Reference,
    box: Box | None,
    *,
    rule: PipelineRule,
    least_rows: int,
    model: Path | None = None,
    held_out: Reference | None = None,
) -> Look:
    """Look for training rows in all that would leave. ``others``: documents that the job itself writes.

    ``held_out``: where the rows to judge by are, which an evaluation could write as its metrics.
    """
    if rule.row_check == _WAIVED:
        waived = f"pipelines.{rule.name}.row_check of the site's policy waives it"
        return Look(others=[Check(name=name, result=NOT_APPLICABLE, detail=waived) for name in (*_CHECKS, STEPS)])
    samples = read_samples(reference)
    result = look_at([(each.name, each.recognised) for each in files], others, samples, least_rows=least_rows)
    if held_out is not None:
        wanted = _sought_of_held_out(read_samples(held_out), samples, least_rows)
        result.texts.append(wanted.texts)
        for name, recognised in others:
            result.findings += look(name, recognised, wanted, Scales(), least_rows=least_rows, rows_are="hold-out")
    result.others.append(_size(files, samples))
    loadable = [each for each in files if each.recognised.loadable]
    if loadable or samples.unread:
        _ask(box, result, samples, loadable, reference, rule=rule, least_rows=least_rows, model=model)
    return result


def look_at(
    files: Sequence[tuple[str, Recognised]],
    others: Sequence[tuple[str, Recognised]],
    samples: Samples,
    *,
    least_rows: int,
) -> Look:
    """The part that needs nothing but numpy."""
    wanted, scales = sought(samples, least_rows=least_rows), scales_of(samples)
    result = Look(texts=[wanted.texts])
    if not samples.unread:
        result.findings += short_of_rows(samples, least_rows)
    # Names of files could be data too.
    named = Recognised("names", "", strings=[name for name, _ in files])
    for name, recognised in (*files, *others, ("names of files", named)):
        result.findings += look(name, recognised, wanted, scales, least_rows=least_rows)
    result.details = {
        names.ROWS: _looked_for(wanted, samples),
        names.SHAPES: f"{len(scales.forms)} scales of the rows were compared with arrays as wide",
        names.PER_ROW: f"no array of {samples.rows} entries tells of the rows",
        names.LEAST_ROWS: f"{samples.rows} training rows, at least {least_rows} are asked for",
        names.WORDS: f"{len(samples.values)} values and {len(samples.words)} words of the data were looked for",
    }
    return result


def _looked_for(wanted: Sought, samples: Samples) -> str:
    """One row may be looked for as numbers and as a line of text, so each kind is counted for itself."""
    kept = "" if samples.every == 1 else f", of which every {samples.every}th was kept"
    forms = [f"{count} {how}" for how, count in wanted.covered.items() if count]
    return f"of {samples.rows} rows, lines or files{kept}, {' and '.join(forms) or 'none'} were looked for"


def _sought_of_held_out(held_out: Samples, training: Samples, least_rows: int) -> Sought:
    """Texts that many training rows have are nobody's, although few rows of a small hold-out have them."""
    for counted, known in ((held_out.values, training.values), (held_out.words, training.words)):
        for text in [text for text in counted if known[text] * training.every >= least_rows]:
            del counted[text]
    return sought(held_out, least_rows=least_rows)


def _size(files: Sequence[ModelFile], samples: Samples) -> Check:
    size = sum(each.span.length for each in files)
    share = size / samples.total_bytes if samples.total_bytes else 0.0
    detail = f"the model has {size} bytes, {share:.3g} times the {samples.total_bytes} bytes of training data"
    return Check(name=names.SIZE, result=PASSED, detail=detail)


def _ask(
    box: Box | None,
    result: Look,
    samples: Samples,
    loadable: Sequence[ModelFile],
    reference: Reference,
    *,
    rule: PipelineRule,
    least_rows: int,
    model: Path | None,
) -> None:
    """Let the box look; what it could not do is a finding when nothing else has looked at the rows."""
    if box is None or model is None:
        if samples.unread:
            result.findings.append(_unread(samples, "there is no container to read them in"))
        result.others.append(Check(name=STEPS, result=NOT_APPLICABLE, detail="there is no container to load it in"))
        return
    request = {
        "files": [[each.name, each.recognised.loadable] for each in loadable],
        "all_rows": bool(samples.unread),
        "least_rows": least_rows,
        "extra_types": list(rule.extra_types),
        "declared": {name: sorted(values) for name, values in reference.declared.items()},
    }
    mounts = {PACKAGE: Path(site_agent.__file__).parent, MODEL: model, DATA: reference.folder}
    # Not -I: where an image has its libraries is in its PYTHONPATH.
    task = BoxTask(arguments=("python", "-P", PROGRAM, json.dumps(request), MODEL, DATA, ANSWER), mounts=mounts)
    try:
        answer = box(task)
        found, detail = parse_answer(answer)
    except BoxError as error:
        result.findings.append(Finding(check=STEPS, where="model", what=f"it could not be looked at: {error}"))
        result.others.append(Check(name=STEPS, result=FAILED, detail=f"it could not be looked at: {error}"))
        return
    result.findings += found
    ours = [each for each in found if each.check == STEPS]
    result.others.append(Check(name=STEPS, result=FAILED if ours else PASSED, detail=detail))


def _unread(samples: Samples, why: str) -> Finding:
    return Finding(check=names.ROWS, where="data", what=f"{' and '.join(samples.unread)} cannot be read: {why}")


def parse_answer(answer: bytes) -> tuple[list[Finding], str]:
    """The findings of the box; raises :class:`BoxError` for anything but our own sentences."""
    try:
        document: Any = json.loads(answer[: LARGEST_ANSWER + 1])
        found = [Finding(check=each[0], where=each[1], what=each[2]) for each in document["findings"]]
        detail = document["detail"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise BoxError("its answer is not the guard's") from None
    said = [detail, *(text for each in found for text in (each.where, each.what))]
    known = all(each.check in (*_CHECKS, STEPS) for each in found)
    if not known or len(found) > _MOST_FINDINGS or not all(isinstance(x, str) and _SAID.fullmatch(x) for x in said):
        raise BoxError("its answer is not the guard's")
    return found, detail
