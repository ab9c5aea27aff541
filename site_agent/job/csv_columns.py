"""What the cells of a declared column may be. Quotes nothing from a file; what was declared may be shown.

Cells are checked many at a time: first all of them for what is usual, and one by one only if that fails.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final

import numpy as np

from site_agent.job import csv_shapes
from site_agent.job.fields import Scalar
from site_agent.job.order import Column

LARGEST: Final = 1e150  # its square is finite, so that means and variances are
_SHOWN_VALUES: Final = 10

# ISO 8601 as `datetime.fromisoformat` reads it, without its rarer forms, in which a number of eight digits is a date.
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.]\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)

Fault = tuple[int, str]  # the place of a cell among those that were given, and what is the matter with it


class Check(ABC):
    """The rule of one column."""

    def __init__(self, column: Column) -> None:
        self._nullable = column.nullable
        self._values = column.values

    def faults(self, cells: Sequence[str]) -> list[Fault]:
        """The faults of cells, in order."""
        if self._usual(cells):
            return []
        found = ((place, self._fault_of(cell)) for place, cell in enumerate(cells))
        return [(place, what) for place, what in found if what]

    @abstractmethod
    def _usual(self, cells: Sequence[str]) -> bool:
        """Whether all cells are surely without a fault."""

    @abstractmethod
    def _fault(self, cell: str) -> str:
        """What is the matter with a cell that is not empty; an empty text for nothing."""

    def _fault_of(self, cell: str) -> str:
        if cell.strip():
            return self._fault(cell)
        return "" if self._nullable else "empty"

    def _not_allowed(self) -> str:
        allowed = self._values or ()
        shown = ", ".join(str(value) for value in allowed[:_SHOWN_VALUES])
        more = f" and {len(allowed) - _SHOWN_VALUES} more" if len(allowed) > _SHOWN_VALUES else ""
        return f"not one of the allowed values {shown}{more}"


class NumberCheck(Check):
    """Finite numbers in the usual form; ``whole``: without a fraction."""

    def __init__(self, column: Column, *, whole: bool) -> None:
        super().__init__(column)
        self._whole = whole
        self._allowed = None if column.values is None else np.array(sorted(map(_number, column.values)))
        self._least = -LARGEST if column.least is None else _number(column.least)
        self._most = LARGEST if column.most is None else _number(column.most)

    def _usual(self, cells: Sequence[str]) -> bool:
        present = list(filter(None, cells)) if self._nullable else cells
        try:
            numbers = np.array([float(cell) for cell in present])
        except ValueError:
            return False
        text = "".join(present)
        if not text.isascii() or "_" in text:  # which Python reads too
            return False
        return bool(
            (np.abs(numbers) <= LARGEST).all()
            and (numbers >= self._least).all()
            and (numbers <= self._most).all()
            and (not self._whole or (numbers == np.floor(numbers)).all())
            and (self._allowed is None or np.isin(numbers, self._allowed).all())
        )

    def _fault(self, cell: str) -> str:
        if not csv_shapes.is_plain(cell):
            return csv_shapes.no_number(cell)
        number = float(cell)
        if abs(number) == float("inf"):
            return "not a finite number"
        if self._allowed is not None:
            return "" if number in self._allowed else self._not_allowed()
        rules: tuple[tuple[bool, str], ...] = (
            (abs(number) > LARGEST, "a number of more than 150 digits, too large to compute with"),
            (self._whole and number != np.floor(number), "not a whole number"),
            (number < self._least, f"less than {self._least:g}, which is the least allowed"),
            (number > self._most, f"more than {self._most:g}, which is the most allowed"),
        )
        return next((what for broken, what in rules if broken), "")


class TextCheck(Check):
    """Any text, or one of some."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self._allowed = None if column.values is None else {str(value) for value in column.values}

    def _usual(self, cells: Sequence[str]) -> bool:
        if self._allowed is not None:
            return self._allowed.issuperset(cells)
        return self._nullable or all(map(str.strip, cells))

    def _fault(self, cell: str) -> str:
        return "" if self._allowed is None or cell in self._allowed else self._not_allowed()


class DateCheck(Check):
    """Days, or moments, as ISO 8601 writes them. Without an offset they count as UTC when compared with a bound."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self._allowed = None if column.values is None else {str(value) for value in column.values}
        self._least = None if column.least is None else str(column.least)
        self._most = None if column.most is None else str(column.most)
        for bound in (self._least, self._most):
            if bound is not None and _moment(bound) is None:
                raise ValueError("a bound of a date must be a date such as 2024-12-31")

    def _usual(self, cells: Sequence[str]) -> bool:
        return not any(self._fault_of(cell) for cell in set(cells))

    def _fault(self, cell: str) -> str:
        text = cell.strip()
        moment = _moment(text)
        if moment is None:
            return "not a date; write dates as 2024-12-31, or with a time as 2024-12-31T23:59:59Z"
        if self._allowed is not None and text not in self._allowed:
            return self._not_allowed()
        if self._least is not None and _side(moment, self._least) < 0:
            return f"before {self._least}, which is the least allowed"
        if self._most is not None and _side(moment, self._most) > 0:
            return f"after {self._most}, which is the most allowed"
        return ""


_KINDS: Final[dict[str, Callable[[Column], Check]]] = {
    "number": lambda column: NumberCheck(column, whole=False),
    "integer": lambda column: NumberCheck(column, whole=True),
    "text": TextCheck,
    "date": DateCheck,
}


def check_of(column: Column) -> Check:
    """The rule of a declared column. Raises ``ValueError`` when its bounds or values do not fit its kind."""
    return _KINDS[column.kind](column)


def _number(value: Scalar) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("bounds and values of numbers must be numbers")
    return float(value)


def _moment(text: str) -> datetime | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        return None


def _side(moment: datetime, bound: str) -> int:
    """Whether a moment is before (-1), at (0) or after (1) a bound; a day as a bound includes all of that day."""
    if len(bound) == len("2024-12-31"):
        day, limit = moment.date(), date.fromisoformat(bound)
        return (day > limit) - (day < limit)
    exact = _moment(bound) or moment
    return (moment > exact) - (moment < exact)
