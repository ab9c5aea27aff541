"""Which columns a table has, from one of its CSV files: names for a new pipeline's files, and nothing of the rows.

Of the values only the classes are kept, which a pipeline must name. Ranges are not: they would carry values of the data
into a repository.
"""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Code, PermanentError

MOST_CLASSES = 100
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_CHANCE_SHARE = 0.87  # the floor of a new pipeline, as a part of the log loss that guessing gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns of numbers that a model is given, and the label with its classes, whole numbers in order."""

    features: tuple[str, ...] = ("length", "width", "weight")
    label: str = "label"
    classes: tuple[int, ...] = (0, 1)

    def values(self) -> Mapping[str, str]:
        """What the templates of tabular pipelines are filled with."""
        chance = math.log(len(self.classes))
        quoted = [json.dumps(name, ensure_ascii=False) for name in self.features]
        rows = [[1.0] * len(self.features), [2.0] * len(self.features)]
        return {
            "features": "".join(f"\n        {name}," for name in quoted),
            "features_further_left": "".join(f"\n    {name}," for name in quoted),
            "label": json.dumps(self.label, ensure_ascii=False),
            "classes": _python_list(self.classes),
            "columns": "".join(f"\n    {_yaml_key(name)}: {{kind: number}}" for name in self.features)
            + f"\n    {_yaml_key(self.label)}: {{kind: integer, values: [{', '.join(map(str, self.classes))}]}}",
            "sample": json.dumps({"rows": rows}),
            "chance": f"{chance:.2f}",
            "floor": f"{_CHANCE_SHARE * chance:.2f}",
        }


def table_of(file: Path, label: str) -> Table:
    """The table that a CSV file is a part of; columns that hold anything but numbers are no features.

    Raises :class:`PermanentError` when no pipeline can be made of it.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as content:
            rows = csv.reader(content)
            header = [name.strip() for name in next(rows, [])]
            if label not in header:
                raise _refused(file, f"has no column {label!r} to learn; it has {', '.join(header) or 'none'}")
            if len(set(header)) != len(header) or "" in header:
                raise _refused(file, "has a column without a name, or a name twice; give each its own")
            return _table(file, header, header.index(label), _cells(file, rows, len(header)))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        cause = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text with commas"
        raise _refused(file, f"cannot be read: {cause}") from None


def _table(file: Path, header: list[str], label: int, rows: Iterator[list[str]]) -> Table:
    numeric = [True] * len(header)
    classes: set[int] = set()
    for row in rows:
        numeric = [known and _is_number(cell) for known, cell in zip(numeric, row, strict=True)]
        if re.fullmatch(r"-?[0-9]{1,9}", row[label].strip()):
            classes.add(int(row[label]))
        else:
            classes = set(range(MOST_CLASSES + 1))
        if len(classes) > MOST_CLASSES:
            raise _refused(
                file,
                f"column {header[label]!r} must hold classes as whole numbers, {MOST_CLASSES} at most;"
                " number them, or begin with --kind empty",
            )
    features = tuple(name for place, name in enumerate(header) if numeric[place] and place != label)
    if not features or len(classes) < 2:
        raise _refused(file, "needs a column of numbers besides the label, and rows of two classes")
    return Table(features=features, label=header[label], classes=tuple(sorted(classes)))


def _cells(file: Path, rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 2):
        if len(row) != width:
            raise _refused(file, f"row {number} has {len(row)} cells, and the header {width}; correct it")
        yield row


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _yaml_key(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and name.lower() not in _YAML_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _python_list(numbers: tuple[int, ...]) -> str:
    inline = f"({', '.join(map(str, numbers))})"
    return inline if len(inline) <= 80 else "(" + "".join(f"\n        {number}," for number in numbers) + "\n    )"


def _refused(file: Path, problem: str) -> PermanentError:
    return PermanentError(f"{file}: {problem}", code=Code.BAD_REQUEST)
