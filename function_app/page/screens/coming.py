"""What is coming in now: the open window of a pipeline, and when it is decided on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from function_app.api.models import WindowView
from shared.messages import WindowState
from shared.pipelines import Settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The open window: what has come so far, and when it closes: ``quiet_at`` if nothing more comes, or at the latest.

    ``marked``: the sign has come that the data are complete.
    """

    files: int
    size: int
    opened_at: datetime
    quiet_at: datetime
    latest_at: datetime
    marked: bool


def coming_of(window: WindowState | WindowView, settle: Settle) -> Coming:
    """The window as its pipeline's file has it closed."""
    return Coming(
        files=window.arrivals,
        size=window.size,
        opened_at=window.opened_at,
        quiet_at=window.last_arrival_at + timedelta(seconds=settle.quiet_seconds),
        latest_at=window.opened_at + timedelta(seconds=settle.longest_wait_seconds),
        marked=window.marked,
    )
