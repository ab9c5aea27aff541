"""Moments of a target that are announced."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TargetEventKind(StrEnum):
    """``DRIFTED``: it does not run what it should. ``MENDED``: it does again."""

    DRIFTED = "drifted"
    MENDED = "mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEvent:
    """A target of a pipeline that drifted, or runs again what it should.

    ``drift``: in which way it differed and what is done about it, in words fit for people. ``wanted`` and ``serving``:
    the runs whose releases should serve and did serve; None for none.
    """

    kind: TargetEventKind
    occurred_at: datetime
    target: str
    pipeline: str
    drift: str
    wanted: str | None = None
    serving: str | None = None
