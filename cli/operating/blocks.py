"""What commands show to people: tables, facts and sentences, as plain values. ``rendering.py`` puts them on a terminal.

Texts come from outside as well as from us, so none of them is ever read as markup.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Tone(StrEnum):
    """The colour of a word, for terminals that have colours. The word alone says the same."""

    PLAIN = ""
    GOOD = "green"
    BAD = "red"
    BUSY = "cyan"
    QUIET = "dim"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. ``flexible``: its texts may be wrapped; others are kept whole, to be copied.

    ``spare``: left out first where the terminal is too narrow for all.
    """

    title: str
    flexible: bool = False
    right: bool = False
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; ``empty`` is said when there are none."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "nothing"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and their values, one a line."""

    facts: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence."""

    text: str
    tone: Tone = Tone.PLAIN


Block = Table | Facts | Line
Row = list[Cell | str]
"""A row of a table; a text is a cell without a tone."""


@dataclass(slots=True)
class FactList:
    """Collects facts, and leaves out those without a value."""

    _facts: list[tuple[str, Cell]] = field(default_factory=list)

    def add(self, name: str, text: str | None, tone: Tone = Tone.PLAIN) -> None:
        """A fact, unless its text is empty."""
        if text:
            self._facts.append((name, Cell(text, tone)))

    def block(self) -> Facts:
        """What was collected."""
        return Facts(tuple(self._facts))


def table(columns: Iterable[Column], rows: Iterable[Row], *, empty: str = "") -> Table:
    """A table of rows; ``empty`` is said when there are none."""
    cells = tuple(tuple(each if isinstance(each, Cell) else Cell(each) for each in row) for row in rows)
    return Table(tuple(columns), cells, empty)
