"""Progress reports: the custom status of orchestrations, in one shape, and announcements."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import azure.durable_functions as df

from shared.contracts import ANNOUNCE
from shared.decisions.explanations.known_so_far import KNOWN, so_far
from shared.decisions.reconciliation import orphans
from shared.formats.size_limits import LONGEST_STATUS, bounded_status, length
from shared.messages import RunEvent, RunEventKind, RunRecord, Stage


def report(
    context: df.DurableOrchestrationContext, stage: Stage, *, record: RunRecord | None = None, **progress: Any
) -> None:
    """Set the custom status: the stage, since when (UTC, RFC 3339), and details; values must be plain JSON.

    ``record``: of the run; what it has learnt so far is shown too, unless that is too long.
    """
    status = {"stage": stage.value, "since": context.current_utc_datetime.isoformat(), "progress": progress}
    known = so_far(record) if record is not None else {}
    whole = status | {KNOWN: known} if known else status
    show(context, whole if length(whole) <= LONGEST_STATUS else status)


def show(context: df.DurableOrchestrationContext, status: dict[str, Any]) -> None:
    """Set the custom status, shortened to the host's limit; a longer one would fail the orchestration."""
    context.set_custom_status(bounded_status(status))


def announce(
    context: df.DurableOrchestrationContext,
    kind: RunEventKind,
    record: RunRecord,
    *,
    target: str = "",
    number: int = 0,
) -> Generator[Any, Any, None]:
    """Publish a moment of a run. An announcement that cannot be sent never fails the run."""
    event = RunEvent(kind=kind, occurred_at=context.current_utc_datetime, record=record, target=target, number=number)
    with suppress(Exception):
        yield from ANNOUNCE.call(context, event)


def gave_up(error: BaseException) -> str:
    """The reason when an activity's retries ran out. What follows (a retry, an end) is for the caller to add."""
    return f"several tries failed: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of an error's text, shortened, without the host's words; its class when it has none."""
    return orphans.first_line(str(error)) or type(error).__name__
