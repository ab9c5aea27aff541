"""One activity as an orchestration of its own that answers with its error instead of failing.

A fan-out needs that: after a caught failure inside ``task_all`` with retried children, the Durable SDK and the host
number later steps differently (see docs/adr/0007-fan-out-over-guarded-steps.md).
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.failures import AttributedError, failure_of
from shared.contracts import ACTIVITIES, Activity, Command, Result
from shared.messages import FailureKind
from shared.values.wire import from_wire, to_wire

NAME = "guarded_step"  # the registered name, which the host stores


class StepFailedError(AttributedError):
    """An activity that was called safely failed; the text says what to do."""


def call_activity_safely(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """Input ``{"activity", "command"}``; output ``{"value": {...}}``, or ``{"failed": reason, "kind": kind}``."""
    asked = context.get_input()
    activity = next(row for row in ACTIVITIES if row.name == asked["activity"])
    try:
        value = yield from activity.call(context, from_wire(activity.accepts, asked["command"]))
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
        return {"failed": reason, "kind": (kind or FailureKind.UNKNOWN).value}
    return {"value": to_wire(value)}


def start(
    context: df.DurableOrchestrationContext, activity: Activity[Command, Result], command: Command, instance_id: str
) -> Any:
    """The task of an activity that is called safely, for ``task_all``."""
    asked = {"activity": activity.name, "command": to_wire(command)}
    return context.call_sub_orchestrator(NAME, asked, instance_id)


def outcome(activity: Activity[Command, Result], reply: dict[str, Any]) -> Result:
    """The result in the reply of an activity that was called safely; raises :class:`StepFailedError`."""
    if "failed" in reply:
        raise StepFailedError(reply["failed"], FailureKind(reply.get("kind", FailureKind.UNKNOWN)))
    return from_wire(activity.returns, reply["value"])
