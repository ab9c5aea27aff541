"""Sentences of the page that are found by the catalogues here, and said in the reader's language where he sees them."""

from collections.abc import Mapping


class Own(str):
    """A sentence of the page with values in it: read as it is, it is English; ``Words.said`` says it to a reader."""

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, object]

    def __new__(cls, message: str, values: Mapping[str, object]) -> "Own":
        """The sentence, filled in."""
        made = super().__new__(cls, message % values)
        made.message, made.values = message, values
        return made


def _(message: str, /, **values: object) -> str:
    """The sentence, for the catalogues; with ``%(name)s`` filled in where values are given."""
    return Own(message, values) if values else message
