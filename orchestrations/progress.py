"""Progress reports: the custom status of orchestrations, in one shape, and announcements."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import azure.durable_functions as df

from shared.contracts import ANNOUNCE
from shared.formats.size_limits import bounded_status
from shared.messages import RunEvent, RunEventKind, RunRecord, Stage
from shared.values.texts import shortened


def report(context: df.DurableOrchestrationContext, stage: Stage, **progress: Any) -> None:
    """Set the custom status: the stage, since when (UTC, RFC 3339), and details; values must be plain JSON."""
    show(context, {"stage": stage.value, "since": context.current_utc_datetime.isoformat(), "progress": progress})


def show(context: df.DurableOrchestrationContext, status: dict[str, Any]) -> None:
    """Set the custom status, shortened to the host's limit; a longer one would fail the orchestration."""
    context.set_custom_status(bounded_status(status))


def announce(
    context: df.DurableOrchestrationContext, kind: RunEventKind, record: RunRecord
) -> Generator[Any, Any, None]:
    """Publish a moment of a run. An announcement that cannot be sent never fails the run."""
    event = RunEvent(kind=kind, occurred_at=context.current_utc_datetime, record=record)
    with suppress(Exception):
        yield from ANNOUNCE.call(context, event)


def gave_up(error: BaseException) -> str:
    """The reason when an activity's retries ran out: the last error, and what to do about it."""
    return f"all retries failed: {first_line(error)}; correct that, then start the run again"


def first_line(error: BaseException) -> str:
    """The first line of an error's text, shortened; the stack below it is of no use to readers of a reason."""
    lines = str(error).strip().splitlines()
    return shortened(lines[0]) if lines else type(error).__name__
