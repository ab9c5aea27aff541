"""The state of a run, a window or a quarantine, in words for the data's owner. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.messages import Outcome, Quarantine, RunRecord, WindowState
from shared.values.texts import counted

_ENDED: Mapping[Outcome, str] = {
    Outcome.PROMOTED: "whose model was promoted",
    Outcome.NOT_PROMOTED: "whose model was not promoted",
    Outcome.ROLLED_BACK: "whose model was rolled back",
    Outcome.FAILED: "which failed",
    Outcome.CANCELLED: "which was cancelled",
}


def utc_text(time: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def run_status_text(run: RunRecord) -> str:
    """The state of a run, as the end of a sentence that names it."""
    if run.outcome is None:
        return "which is under way"
    ended = _ENDED[run.outcome]
    return ended if run.outcome is Outcome.PROMOTED or not run.reason else f"{ended}: {run.reason}"


def window_status_text(window: WindowState) -> str:
    """When an open window closes, as the end of a sentence that names it."""
    latest = window.opened_at + timedelta(seconds=window.longest_wait_seconds)
    asked = [
        *([counted(window.least_files, "file")] if window.least_files is not None else []),
        *([counted(window.least_bytes, "byte")] if window.least_bytes is not None else []),
    ]
    least = f" and there are at least {' or '.join(asked)}" if asked else ""
    quiet = f"when nothing has arrived for {window.quiet_seconds:g} s{least}"
    return f"which opened at {utc_text(window.opened_at)} and closes {quiet}, or at {utc_text(latest)} at the latest"


def quarantine_status_text(quarantine: Quarantine) -> str:
    """Why the data of a quarantine are not trained again: the failures, or the roll-back, and what ends it."""
    if quarantine.rolled_back:
        return _rolled_back_text(quarantine)
    failures = quarantine.failures
    failed = "too often"
    if failures:
        runs = ", ".join(failure.run_id for failure in failures)
        failed = f"{counted(len(failures), 'time')} ({runs}); the last failure: {failures[-1].reason}"
    return (
        f"the same data, code and parameters failed {failed}; quarantined since"
        f" {utc_text(quarantine.since)}: change a file or the code to have them trained, or release them"
    )


def _rolled_back_text(quarantine: Quarantine) -> str:
    last = quarantine.failures[-1] if quarantine.failures else None
    why = f" (run {last.run_id}: {last.reason})" if last else ""
    return (
        f"the model of the same data, code and parameters was rolled back{why}: change a file or the code to have them"
        " trained, or release them and start a run with force"
    )
