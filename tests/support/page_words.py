"""English words for charts, without a catalogue."""

from collections.abc import Callable
from datetime import date


class EnglishWords:
    """``said`` is asked for each text; a test may put something nasty there."""

    def __init__(self, said: Callable[[str], str] = str) -> None:
        self._said = said

    def text(self, message: str, /, **values: object) -> str:
        said = self._said(message)
        return said % values if values else said

    def plural(self, one: str, more: str, number: int, /, **values: object) -> str:
        return self._said(one if number == 1 else more) % {"number": self.number(number, 0), **values}

    def number(self, value: float | None, digits: int = 4) -> str:
        if value is None:
            return "–"  # noqa: RUF001 - as the page has it
        shown = f"{value:,.{digits}f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown

    def percent(self, share: float | None, digits: int = 1) -> str:
        return "–" if share is None else f"{self.number(100 * share, digits)} %"  # noqa: RUF001

    def date(self, day: date) -> str:
        return f"{day.day} {day:%b}"
