"""What an orchestration tells about itself while it runs: its custom status, the same shape everywhere."""

from typing import Any

import azure.durable_functions as df

from shared.messages import Stage


def report(context: df.DurableOrchestrationContext, stage: Stage, **progress: Any) -> None:
    """Show the stage, since when (UTC, RFC 3339) and what is known of its progress; values must be plain JSON."""
    context.set_custom_status(
        {"stage": stage.value, "since": context.current_utc_datetime.isoformat(), "progress": progress}
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's text, shortened: what comes after it is a stack that helps nobody outside."""
    return str(error).splitlines()[0].strip()[:500] if str(error).strip() else type(error).__name__
