"""What a check found about its subject."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """``UNKNOWN``: it could not be found out, with the cause; ``SKIPPED``: there is nothing to look at, or not yet."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"

    @property
    def needs_remedy(self) -> bool:
        """Whether there may be something to do."""
        return self in {State.WRONG, State.UNKNOWN}


class Kind(StrEnum):
    """What a check may be about: the app as a whole, or one thing that its settings or pipelines name."""

    APP = "app"
    SITE = "site"
    COMPUTE = "compute"
    TARGET = "target"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One thing that a check looks at. ``name`` is empty for the app."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}" if self.name else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report.

    ``found`` and ``wanted`` say what is and what should be, ``why`` what happens otherwise, ``remedy`` what to do, with
    the command where there is one; it is empty when nothing is to be done. No text holds a secret.
    """

    check: str
    subject: str
    state: State
    found: str
    wanted: str
    why: str
    remedy: str = ""
