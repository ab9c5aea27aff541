"""What the demo shows: a live table of stages on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from local_stack.logs import shown_lines
from shared.values.texts import one_line

_MARK = {"waiting": "·", "done": "✓", "failed": "✗"}
_COLOUR = {"waiting": "dim", "running": "bold", "done": "green", "failed": "red"}


@dataclass(slots=True)
class Step:
    """One line of the table. ``note`` says what is happening now, or what came out."""

    title: str
    state: str = "waiting"
    note: str = ""
    began: float = 0.0
    ended: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since it began, or that it took."""
        if not self.began:
            return 0.0
        return (self.ended or time.monotonic()) - self.began


@dataclass(slots=True)
class Screen:
    """The steps of the story and how they are shown."""

    console: Console = field(default_factory=lambda: Console(file=sys.stdout))
    steps: list[Step] = field(default_factory=list)
    _live: Live | None = None
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @contextmanager
    def showing(self) -> Iterator["Screen"]:
        """Keep the table on the terminal while the story runs."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(get_renderable=self._table, console=self.console, refresh_per_second=8) as self._live:
            try:
                yield self
            finally:
                self._live.refresh()

    def say(self, text: str) -> None:
        """A line of its own, above the table."""
        self.console.print(shown_lines(text), highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """One step of the story: running inside the block, then done, or failed when the block raises."""
        step = Step(title, state="running", began=time.monotonic())
        self.steps.append(step)
        if not self._live:
            self.say(f"... {title}")
        try:
            yield step
        except BaseException as error:
            step.state, step.note = "failed", step.note or str(error) or type(error).__name__
            raise
        else:
            step.state = "done"
        finally:
            step.ended = time.monotonic()
            if not self._live:
                mark = "ok " if step.state == "done" else "FAILED"
                self.say(f"{mark} {title} ({step.elapsed:.1f} s){': ' + step.note if step.note else ''}")

    def note(self, step: Step, text: str) -> None:
        """Say what the step is doing; a plain line only when it changed."""
        if text != step.note and not self._live:
            self.say(f"      {text}")
        step.note = text

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=2)
        table.add_column(ratio=2)
        table.add_column(justify="right", width=8)
        table.add_column(ratio=3, overflow="fold")
        for step in self.steps:
            mark = self._spinner if step.state == "running" else Text(_MARK[step.state], style=_COLOUR[step.state])
            table.add_row(
                mark, Text(step.title, style=_COLOUR[step.state]), f"{step.elapsed:.1f} s", Text(one_line(step.note))
            )
        return Group(table)
