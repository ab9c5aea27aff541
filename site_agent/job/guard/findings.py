"""What the guard finds in a model: which check, where and how much; never a value of the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from site_agent.job.guard.receipt import FAILED, PASSED, Check

FORMATS: Final = "formats"
ROWS: Final = "training_rows"
SHAPES: Final = "row_shaped_arrays"
PER_ROW: Final = "entry_per_row"
LEAST_ROWS: Final = "least_rows"
WORDS: Final = "words_of_the_data"
SIZE: Final = "size"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """Something that must not leave. ``where``: file and place in it; ``what``: our own words and numbers."""

    check: str
    where: str
    what: str

    def __str__(self) -> str:
        """One clause of a sentence."""
        return f"{self.where}: {self.what}"


def checks(findings: Iterable[Finding], details: dict[str, str]) -> list[Check]:
    """A check for each of ``details``, which says what it looked at, failed where there are findings."""
    found = sorted(set(findings))
    result: list[Check] = []
    for name, detail in details.items():
        of_it = [str(each) for each in found if each.check == name]
        if of_it:
            result.append(Check(name=name, result=FAILED, detail=listed(of_it)))
        else:
            result.append(Check(name=name, result=PASSED, detail=detail))
    return result


def listed(sentences: Iterable[str]) -> str:
    """The first of some sentences, and how many more there are."""
    every = list(sentences)
    more = f"; and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return "; ".join(every[:_SHOWN]) + more
