"""Texts of the data in a model: values of text columns, and words of free text, that stand in few rows only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from site_agent.job.guard.fingerprints import Index
from site_agent.job.guard.samples import Samples

_FEWEST_WORDS: Final = 3
_SHORTEST_VALUE: Final = 4
_SHORTEST_PART: Final = 8
"""Letters of a value that is looked for inside of longer texts; shorter ones stand in other words by chance."""
_MOST_TEXT: Final = 32 * 1024 * 1024
_MOST_CONFIRMED: Final = 1000
_WORD: Final = re.compile(r"[^\W_]{3,40}")
_TOKEN: Final = re.compile(r"[^\s./()*:,]+")


@dataclass(slots=True)
class TextsOfTheData:
    """What stands in fewer rows than ``least_rows``, prepared once to be looked for in many texts."""

    samples: Samples
    least_rows: int
    _values: frozenset[str] = frozenset()
    _words: frozenset[str] = frozenset()
    _long: list[bytes] = field(default_factory=list)
    _index: Index = field(default_factory=Index)

    def __post_init__(self) -> None:
        samples = self.samples
        self._values = samples.rare(samples.values, self.least_rows)
        self._words = samples.rare(samples.words, self.least_rows) - {name.lower() for name in samples.names}
        folded = {each.strip().casefold() for each in self._values if len(each.strip()) >= _SHORTEST_PART}
        self._long = sorted(each.encode("utf-8", "surrogatepass") for each in folded)
        if self._long:
            windows = np.frombuffer(b"".join(each[:_SHORTEST_PART] for each in self._long), np.uint8)
            owners = np.arange(len(self._long), dtype=np.int64)
            self._index.add("values", windows.reshape(-1, _SHORTEST_PART), owners, 0)

    def findings(self, strings: Iterable[str]) -> list[str]:
        """What texts tell of few rows, as clauses without any of the texts."""
        given = list(strings)
        whole = sum(self._is_value(text) for text in set(given)) or self._inside(given)
        found = [f"{whole} values of text columns that stand in fewer than {self.least_rows} rows"] if whole else []
        used = {word.lower() for text in set(given) for word in _WORD.findall(text)} & self._words
        if len(used) >= _FEWEST_WORDS:
            found.append(f"{len(used)} words that stand in fewer than {self.least_rows} rows")
        return found

    def tells(self, text: str) -> bool:
        """Whether a text is or holds a value of few rows."""
        return self._is_value(text) or any(map(self._is_value, _TOKEN.findall(text))) or bool(self._inside([text]))

    def without(self, text: str) -> str:
        """The text with ``*`` in place of every part that holds a value of few rows."""
        if not self.tells(text):
            return text
        shown = _TOKEN.sub(lambda found: "*" if self.tells(found[0]) else found[0], text)
        return shown if not self.tells(shown) else "*"

    def _is_value(self, text: str) -> bool:
        return len(text.strip()) >= _SHORTEST_VALUE and text in self._values

    def _inside(self, strings: list[str]) -> int:
        """How many values stand inside of longer texts, or spread over texts of a few letters, or in reverse."""
        if not self._index:
            return 0
        together = "".join(strings)[:_MOST_TEXT].casefold()
        texts = ["\n".join(strings)[:_MOST_TEXT].casefold(), together, together[::-1]]
        found: set[int] = set()
        for text in texts:
            content = text.encode("utf-8", "surrogatepass")
            owners = sorted(set().union(*self._index.find([content]).values()))
            if len(owners) > _MOST_CONFIRMED:
                return len(owners)
            found |= {owner for owner in owners if self._long[owner] in content}
        return len(found)
