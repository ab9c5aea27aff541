"""Parse the answer of an orchestrator turn: its actions, output, error and custom status, from the worker's JSON."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from local_stack.functions_host.durable.history import from_stamp, to_json
from local_stack.functions_host.durable.interfaces import OrchestratorFailedError

_FAILURE_MARKER: Final = "$OutOfProcData$:"


class UnsupportedActionError(Exception):
    """The app asked for something this host does not serve: entities and durable HTTP calls."""


class InvalidReplyError(Exception):
    """The worker's answer is not the JSON that replay schema V2 or later promises."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy; from Python the interval is the same after every attempt."""

    interval: timedelta
    attempts: int


@dataclass(frozen=True, slots=True)
class CallActivity:
    """Run an activity on the JSON text ``input``."""

    name: str
    input: str
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class CallSubOrchestrator:
    """Run an orchestrator; without an id the host makes one."""

    name: str
    input: str
    instance_id: str | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class ContinueAsNew:
    """Start over with an empty history and the JSON text ``input``."""

    input: str


@dataclass(frozen=True, slots=True)
class CreateTimer:
    """Wait until ``fire_at``, or not at all once it is canceled."""

    fire_at: datetime
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class WaitForEvent:
    """Wait for an external event."""

    name: str


@dataclass(frozen=True, slots=True)
class WhenAny:
    """Done with the first of its actions."""

    actions: tuple["Action", ...]


@dataclass(frozen=True, slots=True)
class WhenAll:
    """Done with the last of its actions, also when one has failed."""

    actions: tuple["Action", ...]


Action = CallActivity | CallSubOrchestrator | ContinueAsNew | CreateTimer | WaitForEvent | WhenAny | WhenAll


@dataclass(frozen=True, slots=True)
class Reply:
    """The worker's answer to one turn. Values are JSON texts; ``None`` means that the key was not there."""

    actions: tuple[Action, ...]
    is_done: bool = False
    output: str | None = None
    error: str | None = None
    custom_status: str | None = None


def parse_reply(text: str) -> Reply:
    """Read a reply. Raises :class:`UnsupportedActionError` or :class:`InvalidReplyError`."""
    try:
        body: dict[str, Any] = json.loads(text)
        # All actions since the start of the execution stand in one inner list.
        actions = tuple(_action(raw) for group in body["actions"] for raw in group)
        return Reply(
            actions=actions,
            is_done=body["isDone"],
            output=to_json(body["output"]) if "output" in body else None,
            error=body.get("error"),
            custom_status=to_json(body["customStatus"]) if "customStatus" in body else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidReplyError(f"The orchestrator's answer cannot be read: {error!r}") from error


def parse_failure(error: OrchestratorFailedError) -> Reply:
    """Read the reply hidden in an exception's text; without one the exception is all there is."""
    _, marker, rest = str(error).rpartition(_FAILURE_MARKER)
    if marker:
        try:
            state, _ = json.JSONDecoder().raw_decode(rest.lstrip())
            return parse_reply(json.dumps({"error": str(error)} | state))
        except (ValueError, TypeError):
            pass  # a text that only looks like one of ours
    return Reply(actions=(), error=str(error))


def _action(raw: dict[str, Any]) -> Action:
    action: Action
    match raw["actionType"]:
        case 0 | 1:
            action = CallActivity(raw["functionName"], raw["input"], _retry(raw))
        case 2 | 3:
            action = CallSubOrchestrator(raw["functionName"], raw["input"], raw.get("instanceId"), _retry(raw))
        case 4:
            action = ContinueAsNew(raw["input"])
        case 5:
            action = CreateTimer(from_stamp(raw["fireAt"]), canceled=raw["isCanceled"])
        case 6:
            action = WaitForEvent(raw["externalEventName"])
        case 11:
            action = WhenAny(tuple(_action(child) for child in raw["compoundActions"]))
        case 12:
            action = WhenAll(tuple(_action(child) for child in raw["compoundActions"]))
        case other:
            raise UnsupportedActionError(f"Orchestrator action {other} (entity or HTTP call) is not served locally.")
    return action


def _retry(raw: dict[str, Any]) -> Retry | None:
    options = raw.get("retryOptions")
    if not options:
        return None
    interval = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
    return Retry(interval, options["maxNumberOfAttempts"])
