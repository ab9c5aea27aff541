"""Blocks on a terminal: as wide as it is, without colour where there is none, in ASCII where it knows no more.

A table that does not fit is shown row by row, as names and values. What goes to a pipe or a file is never wrapped.
"""

import io
import os
from collections.abc import Iterable, Mapping
from typing import IO, Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from cli.operating.blocks import Block, Cell, Facts, Line, Table

_UNWRAPPED: Final = 100_000  # columns of what is no terminal
_LEAST_FLEXIBLE: Final = 16  # columns that a wrapped text of a table needs to be readable
_LEAST_VALUE: Final = 24  # the same beside a name
_NARROWEST: Final = 20  # columns; a terminal that says fewer wraps by itself
_GAP: Final = 2
_ASCII_HEAD: Final = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def console_for(
    stream: IO[str] | None, environment: Mapping[str, str] = os.environ, width: int | None = None
) -> Console:
    """A console on a stream, or on nothing where that is closed.

    Without markup, highlighting or emoji, since texts are data.
    """
    terminal = bool(stream and stream.isatty())
    if width is None and not terminal:
        width = _UNWRAPPED
    # A console without a file of its own takes standard output, where a closed error stream has no business.
    file = stream or io.StringIO()
    console = Console(
        file=file, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False, _environ=environment
    )
    console.width = max(console.width, _NARROWEST)
    console.legacy_windows = False
    return console


def speaks_unicode(console: Console, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal can show more than ASCII, as far as encoding and locale say."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return console.encoding.lower().startswith("utf") and locale not in {"C", "POSIX"}


def draw(console: Console, blocks: Iterable[Block], *, unicode: bool = True) -> None:
    """Print the blocks, with an empty line between those of several lines, and no blanks at the end of a pipe's."""
    if console.is_terminal:
        _draw_all(console, blocks, unicode=unicode)
        return
    with console.capture() as captured:
        _draw_all(console, blocks, unicode=unicode)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)


def _draw_all(console: Console, blocks: Iterable[Block], *, unicode: bool) -> None:
    before: Block | None = None
    for block in blocks:
        if before is not None and not (isinstance(before, Line) and isinstance(block, Line)):
            console.print()
        _draw(console, block, unicode=unicode)
        before = block


def _draw(console: Console, block: Block, *, unicode: bool) -> None:
    match block:
        case Line():
            console.print(_text(Cell(block.text, block.tone), unicode=unicode), overflow="fold")
        case Facts():
            _draw_facts(console, block, unicode=unicode)
        case Table() if not block.rows:
            console.print(Text(block.empty))
        case Table():
            _draw_table(console, block, unicode=unicode)


def _draw_facts(console: Console, facts: Facts, *, unicode: bool) -> None:
    names = max((cell_len(name) for name, _ in facts.facts), default=0)
    if console.width < names + _GAP + _LEAST_VALUE:
        for name, cell in facts.facts:
            console.print(Text(f"{name}:", style="bold"), overflow="fold")
            console.print(Padding(_text(cell, unicode=unicode), (0, 0, 0, _GAP), expand=False))
        return
    grid = Grid.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, cell in facts.facts:
        grid.add_row(Text(name), _text(cell, unicode=unicode))
    console.print(grid)


def _draw_table(console: Console, table: Table, *, unicode: bool) -> None:
    table = _fitting(table, console.width)
    if _needed(table) > console.width:
        for number, row in enumerate(table.rows):
            if number:
                console.print()
            facts = [(column.title, cell) for column, cell in zip(table.columns, row, strict=True) if cell.text]
            _draw_facts(console, Facts(tuple(facts)), unicode=unicode)
        return
    grid = Grid(box=None, show_edge=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    if console.is_terminal:
        grid.box, grid.padding = box.SIMPLE_HEAD if unicode else _ASCII_HEAD, (0, _GAP - 1, 0, 0)
    for column in table.columns:
        grid.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=not column.flexible,
            overflow="fold",
            header_style="bold",
        )
    for row in table.rows:
        grid.add_row(*(_text(cell, unicode=unicode) for cell in row))
    console.print(grid)


def _fitting(table: Table, width: int) -> Table:
    """The table with as many of its spare columns, from the left, as the width has room for; or all of them."""
    fitting = table
    for number in reversed(range(len(table.columns))):
        if _needed(fitting) <= width:
            return fitting
        if table.columns[number].spare:
            rows = (row[:number] + row[number + 1 :] for row in fitting.rows)
            fitting = Table(fitting.columns[:number] + fitting.columns[number + 1 :], tuple(rows), table.empty)
    return fitting if _needed(fitting) <= width else table


def _needed(table: Table) -> int:
    """The columns of a terminal that the table needs to be read as one."""
    width = _GAP * (len(table.columns) - 1)
    for number, column in enumerate(table.columns):
        longest = max(cell_len(text) for text in (column.title, *(row[number].text for row in table.rows)))
        width += min(longest, _LEAST_FLEXIBLE) if column.flexible else longest
    return width


def _text(cell: Cell, *, unicode: bool) -> Text:
    shown = cell.text if unicode else cell.text.encode("ascii", "backslashreplace").decode("ascii")
    return Text(shown, style=cell.tone.value)
