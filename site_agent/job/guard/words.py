"""Texts of the data in a model: values of text columns, and words of free text, that stand in few rows only."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from site_agent.job.guard.samples import Samples

_FEWEST_WORDS: Final = 3
_SHORTEST_VALUE: Final = 4
_WORD: Final = re.compile(r"[^\W_]{3,40}")


def texts_of_the_data(strings: Iterable[str], samples: Samples, *, least_rows: int) -> list[str]:
    """What a model's texts tell of few rows, as clauses without any of the texts."""
    given = set(strings)
    values = samples.rare(samples.values, least_rows)
    words = samples.rare(samples.words, least_rows) - {name.lower() for name in samples.names}
    found: list[str] = []
    whole = _values_in(given, values)
    if whole:
        found.append(f"{whole} values of text columns that stand in fewer than {least_rows} rows")
    used = {word.lower() for text in given for word in _WORD.findall(text)} & words
    if len(used) >= _FEWEST_WORDS:
        found.append(f"{len(used)} words that stand in fewer than {least_rows} rows")
    return found


def _values_in(given: Collection[str], values: Collection[str]) -> int:
    return sum(len(text.strip()) >= _SHORTEST_VALUE and text in values for text in given)
