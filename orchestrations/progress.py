"""What an orchestration tells about itself while it runs: its custom status, the same shape everywhere."""

from typing import Any

import azure.durable_functions as df

from shared.messages import Stage
from shared.texts import shortened


def report(context: df.DurableOrchestrationContext, stage: Stage, **progress: Any) -> None:
    """Show the stage, since when (UTC, RFC 3339) and what is known of its progress; values must be plain JSON."""
    context.set_custom_status(
        {"stage": stage.value, "since": context.current_utc_datetime.isoformat(), "progress": progress}
    )


def gave_up(error: BaseException) -> str:
    """The reason when an activity's retries ran out: the last error, and what a person can do about it."""
    return f"{first_line(error)}; it was tried again in vain, so see to that and then start the run again"


def first_line(error: BaseException) -> str:
    """The first line of an error's text, shortened: what comes after it is a stack that helps nobody outside."""
    lines = str(error).strip().splitlines()
    return shortened(lines[0]) if lines else type(error).__name__
