"""Troubles of a pipeline, as the reconciler found them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TroubleKind(StrEnum):
    """What kind of thing is wrong.

    ``BROKEN_FILE``: its file is no pipeline. ``REMOVED``: its file is gone. ``OVERLAP``: it shares blobs with another
    pipeline, which may be meant. ``NO_DATA``: container, hold-out or data are missing. ``UNREACHABLE``: the hub does
    not answer. ``REFUSED``: the hub or a setting refuses. ``FAULT``: the app itself failed. ``UNREADABLE_NAMES``: blobs
    are left out, or the listing breaks off, for their names. ``UNDECIDED``: what arrived cannot be decided on.
    ``TARGET``: a place that serves the model does not run what it should, or cannot be asked. ``CHAMPION_LOST``: the
    ledger does not know any more whose model serves. ``OVERDUE``: data that are expected have not come.
    """

    BROKEN_FILE = "broken_file"
    REMOVED = "removed"
    OVERLAP = "overlap"
    NO_DATA = "no_data"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FAULT = "fault"
    UNREADABLE_NAMES = "unreadable_names"
    UNDECIDED = "undecided"
    TARGET = "target"
    CHAMPION_LOST = "champion_lost"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong: since when, why, and what to do about it. It is forgotten when it is over."""

    kind: TroubleKind
    cause: str
    remedy: str
    since: datetime
