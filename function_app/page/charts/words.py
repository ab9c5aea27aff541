"""What charts need of the reader's language. They know none themselves."""

from datetime import date
from typing import Protocol


class Words(Protocol):
    """Texts, numbers and days for one reader. Message ids are English sentences; ``values`` fill ``%(name)s`` in."""

    def text(self, message: str, /, **values: object) -> str:
        """The sentence in the reader's language."""

    def plural(self, one: str, more: str, number: int, /, **values: object) -> str:
        """The form for that number, which the sentence has as ``%(number)s``."""

    def number(self, value: float | None, digits: int = 4) -> str:
        """A number with at most ``digits`` decimals."""

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share of one as a percentage."""

    def date(self, day: date) -> str:
        """A day, short and without its year."""
