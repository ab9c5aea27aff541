"""What was measured on each side, and how the sides compare."""

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

OURS: Final = "edgetrain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What came of SIGKILL in the middle of a training. ``seconds``: from it to the model; None when none came."""

    seconds: float | None
    trainings: int
    account: str
    waited: float

    def __str__(self) -> str:
        begun = f"{self.trainings} training{'s' if self.trainings != 1 else ''} in all"
        if self.seconds is None:
            return f"no model within {self.waited:.0f} s, {begun} (its runs: {self.account})"
        return f"a model after {self.seconds:.0f} s, {begun} (its runs: {self.account})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One side. ``until_training``: seconds from the last file to the start of the training that read all files.

    ``before`` and ``after``: seconds from the run to its training, and from the training's end to the model's arrival.
    ``idle_parts``: what each of its programs takes of ``idle_cpu`` (seconds an hour) and ``idle_megabytes``.
    ``model``: the digest of the model's file.
    """

    side: str
    deliveries: int
    trainings: int
    until_training: float
    before: float
    after: float
    program: float
    idle_cpu: float
    idle_megabytes: float
    idle_parts: str
    lines: int
    model: str
    killed: Killed

    @property
    def overhead(self) -> float:
        """Seconds of a run in which the training program does not run."""
        return self.before + self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A side's figures in a file, so that a side can be measured again by itself.

    ``job``: what it did, in words that are the same for sides that can be compared; ``machine``: when and where.
    """

    job: str
    machine: str
    figures: Figures

    def write(self, file: Path) -> None:
        """Put it into a file."""
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Kept | None":
        """What is in the file; None when there is none."""
        if not file.exists():
            return None
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        figures = raw["figures"]
        return cls(
            job=raw["job"],
            machine=raw["machine"],
            figures=Figures(**{**figures, "killed": Killed(**figures["killed"])}),
        )


def together(measured: Sequence[Kept], kept: Sequence[Kept]) -> list[Kept]:
    """What was measured now, and of the other sides what was kept of the same job; in the order in which it is kept."""
    new = {each.figures.side: each for each in measured}
    jobs = {each.job for each in measured}
    known = {each.figures.side: each for each in kept if each.job in jobs}
    order = [*(each.figures.side for each in kept), *new]
    return [(known | new)[side] for side in dict.fromkeys(order) if side in known | new]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A row of the comparison; less is better. ``goal``: the most that ours may be of the better peer's."""

    what: str
    value: Callable[[Figures], float]
    unit: str = ""
    digits: int = 0
    goal: float | None = None

    def shown(self, figures: Figures) -> str:
        """The value with its unit."""
        return f"{self.value(figures):,.{self.digits}f}{self.unit}"


MEASURES: Final = (
    Measure(what="trainings started", value=lambda it: it.trainings, goal=1.0),
    Measure(what="from the last file to the start of the training", value=lambda it: it.until_training, unit=" s"),
    Measure(what="overhead of the run", value=lambda it: it.overhead, unit=" s", digits=1, goal=0.5),
    Measure(what="CPU of an idle hour", value=lambda it: it.idle_cpu, unit=" s", goal=0.5),
    Measure(what="memory when idle", value=lambda it: it.idle_megabytes, unit=" MB"),
    Measure(what="lines that the user writes", value=lambda it: it.lines),
)


def ratio(measure: Measure, sides: Sequence[Figures]) -> float:
    """Ours against the better peer."""
    (ours,) = (measure.value(each) for each in sides if each.side == OURS)
    better = min(measure.value(each) for each in sides if each.side != OURS)
    return ours / better


def verdict(measure: Measure, sides: Sequence[Figures]) -> str:
    """Whether the goal was met, and else which peer is better: that is the next goal."""
    found = ratio(measure, sides)
    better = min((each for each in sides if each.side != OURS), key=measure.value).side
    if measure.goal is not None and found <= measure.goal:
        return f"met (≤ {measure.goal:g})"
    missed = f"missed (≤ {measure.goal:g})" if measure.goal is not None else ""
    if found > 1:
        return "; ".join(filter(None, (missed, f"{better} is better")))
    return missed


def lines_of_code(files: Sequence[Path]) -> int:
    """Lines with code or data: no blank ones, no comments, no docstrings."""
    return sum(_lines(file) for file in files)


def _lines(file: Path) -> int:
    text = file.read_text(encoding="utf-8")
    skipped = _docstring_lines(ast.parse(text)) if file.suffix == ".py" else set()
    if file.suffix in {".yaml", ".yml"}:
        yaml.safe_load(text)
    lines = enumerate(text.splitlines(), start=1)
    return sum(1 for number, line in lines if number not in skipped and line.strip() and line.strip()[0] != "#")


def _docstring_lines(tree: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            statement = node.body[0]
            found |= set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    return found
