"""How a run, a window or a quarantine stands, in words for the data's owner. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.messages import Outcome, Quarantine, RunRecord, WindowState

_ENDED: Mapping[Outcome, str] = {
    Outcome.PROMOTED: "whose model was promoted",
    Outcome.NOT_PROMOTED: "whose model was not promoted",
    Outcome.ROLLED_BACK: "whose model was rolled back",
    Outcome.FAILED: "which failed",
    Outcome.CANCELLED: "which was cancelled",
}


def moment(time: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def standing(run: RunRecord) -> str:
    """How a run stands, as the end of a sentence that names it."""
    if run.outcome is None:
        return "which is under way"
    ended = _ENDED[run.outcome]
    return ended if run.outcome is Outcome.PROMOTED or not run.reason else f"{ended}: {run.reason}"


def closing(window: WindowState) -> str:
    """When an open window closes, as the end of a sentence that names it."""
    latest = window.opened_at + timedelta(seconds=window.longest_wait_seconds)
    asked = [
        *([f"{window.least_files} files"] if window.least_files is not None else []),
        *([f"{window.least_bytes} bytes"] if window.least_bytes is not None else []),
    ]
    least = f" and there are at least {' or '.join(asked)}" if asked else ""
    quiet = f"when nothing has arrived for {window.quiet_seconds:g} s{least}"
    return f"which is open since {moment(window.opened_at)} and closes {quiet}, at the latest at {moment(latest)}"


def remedy(quarantine: Quarantine) -> str:
    """Why nothing more is tried, with the evidence, and what lifts it."""
    failures = quarantine.failures
    last = f"; the last time: {failures[-1].reason}" if failures else ""
    runs = ", ".join(failure.run_id for failure in failures)
    return (
        f"the same data, code and parameters failed {len(failures)} times ({runs}){last}; put aside since"
        f" {moment(quarantine.since)} until a file or the code changes, or POST"
        f" /api/pipelines/{quarantine.pipeline}/release"
    )
