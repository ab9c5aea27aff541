"""Run inside the dependency image, without network: look for training rows where only its libraries can.

    python -P box.py REQUEST MODEL DATA ANSWER

The answer says where something was found, never what. The files were checked before: every type in them is listed.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np

from site_agent.job.guard.box_steps import load, rows_after_each_step
from site_agent.job.guard.findings import PER_ROW, ROWS, Finding
from site_agent.job.guard.formats import FormatRules, recognise
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.rows import look, short_of_rows, sought
from site_agent.job.guard.samples import PARQUET, PICTURES, Reference, Samples, read_samples
from site_agent.job.guard.shapes import scales_of
from site_agent.job.guard.spans import HeldBackError, Span
from site_agent.job.guard.table_readers import READERS
from site_agent.job.guard.words import TextsOfTheData

STEPS: Final = "rows_after_each_step"
_MOST_ROWS: Final = 20_000
_MOST_FINDINGS: Final = 50
_MOST_BYTES: Final = 1 << 40  # the job has checked sizes


def main() -> None:
    """Answer the request of the command line."""
    request, model, data, into = sys.argv[1:]
    found = answer(json.loads(request), Path(model), Path(data))
    Path(into).write_text(json.dumps(found), encoding="ascii")


def answer(request: Mapping[str, Any], model: Path, data: Path) -> dict[str, Any]:
    """Findings as ``[check, where, what]``, and what was looked at."""
    declared = {name: frozenset(values) for name, values in request["declared"].items()}
    samples = read_samples(Reference(folder=data, declared=declared), READERS, most_rows=_MOST_ROWS, keep_columns=True)
    recognised = {path.relative_to(model).as_posix(): each for path, each in _files(model, request)}
    found: list[Finding] = []
    if PARQUET in samples.unread:
        found.append(Finding(check=ROWS, where="data", what=f"{PARQUET} cannot be read without pyarrow in the image"))
    if request["all_rows"]:
        found += short_of_rows(samples, request["least_rows"])
        wanted, scales = sought(samples, least_rows=request["least_rows"]), scales_of(samples)
        for name, each in recognised.items():
            found += look(name, each, wanted, scales, least_rows=request["least_rows"])
    looked = 0
    for name, kind in request["files"]:
        for step, matrix in _steps(model / name, kind, samples, request):
            looked += 1
            made = Samples(rows=samples.rows, every=samples.every, matrix=np.asarray(matrix, np.float64))
            found += _look_after(step, made, name, recognised[name], request["least_rows"])
    details = f"{samples.rows} rows, after {looked} steps"
    if PICTURES in samples.unread:
        details += f"; {PICTURES} as bytes only, without Pillow in the image"
    texts = TextsOfTheData(samples, request["least_rows"])
    shown = [[each.check, texts.without(each.where), each.what] for each in sorted(set(found))[:_MOST_FINDINGS]]
    return {"findings": shown, "detail": details}


def _files(model: Path, request: Mapping[str, Any]) -> Iterator[tuple[Path, Recognised]]:
    rules = FormatRules(most=_MOST_BYTES, pickles=True, extra_types=request["extra_types"])
    for path in sorted(model.rglob("*")):
        if path.is_file() and path.name != "smoke.json":
            file = path.open("rb")  # stays open with the span
            try:
                recognised = recognise(Span(file.fileno(), 0, path.stat().st_size, file), rules)
            except HeldBackError:  # it does not leave, so nothing is looked for in it
                continue
            yield path, recognised


def _steps(path: Path, kind: str, samples: Samples, request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from rows_after_each_step(load(path, kind, request["extra_types"]), samples)


def _look_after(step: str, made: Samples, name: str, recognised: Recognised, least_rows: int) -> list[Finding]:
    wanted, scales = sought(made, least_rows=least_rows), scales_of(made)
    found = look(name, recognised, wanted, scales, least_rows=least_rows, rows_are=f"after {step},")
    return [Finding(check=STEPS, where=each.where, what=each.what) for each in found if each.check != PER_ROW]


if __name__ == "__main__":
    main()
