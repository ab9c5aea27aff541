"""The app's use of the Durable client: read an orchestration's status, and start one whose claim the caller owns."""

from typing import Any, Protocol

from shared.errors import TransientError
from shared.messages import RolloutPhase, Stage
from shared.telemetry import current_trace
from shared.values.texts import shortened
from shared.values.traces import FIELD, own_trace
from shared.values.wire import to_wire


class DurableClient(Protocol):
    """The methods of the SDK's Durable client that are used here."""

    async def get_status(self, instance_id: str, /) -> Any:
        """The instance's status; one without a runtime status when there is no such instance."""

    async def start_new(self, name: str, instance_id: str, client_input: Any, /) -> Any:
        """Start an instance, in place of one that has ended; raises for one that is alive."""


async def status_of(client: DurableClient, instance_id: str) -> Any | None:
    """The status of an instance, None when there is none of that id; raises when the host did not answer."""
    status = await client.get_status(instance_id)
    if status.runtime_status is not None:
        return status
    # The SDK returns the same empty status for "no such instance" (an empty answer) and for errors of the host.
    if getattr(status, "message", None) != "":
        cause = f"the host did not give the status of orchestration {instance_id}: {shortened(vars(status))}"
        raise TransientError(f"{cause}; if this goes on, check the app's log and its storage account")
    return None


async def start_once(client: DurableClient, name: str, instance_id: str, request: object) -> bool:
    """Start ``name`` unless an instance of that id was ever started; returns whether it was started now.

    ``start_new`` would silently replace a finished instance, so the caller must own the ledger claim of that id: then
    nobody else can start it between the check and the start.
    """
    if await status_of(client, instance_id) is not None:
        return False
    try:
        await client.start_new(name, instance_id, started_with(name, instance_id, request))
    except Exception:  # the SDK knows no narrower type
        # The host refuses to start a running instance again: a redelivery of the same message may have started it.
        if await status_of(client, instance_id) is None:
            raise
        return False
    return True


def started_with(name: str, instance_id: str, request: object) -> Any:
    """The input of an orchestration: the request, in the trace of the span around this, or else in one of its own."""
    given = to_wire(request)
    if isinstance(given, dict) and not given.get(FIELD):
        given[FIELD] = (current_trace() or own_trace(name, instance_id)).text
    return given


def phase_of(custom_status: Any) -> RolloutPhase | None:
    """The phase in the custom status of a roll-out; None when it says none that this version of the app knows."""
    progress = custom_status.get("progress") if isinstance(custom_status, dict) else None
    said = progress.get("phase") if isinstance(progress, dict) else None
    return RolloutPhase(said) if isinstance(said, str) and said in set(RolloutPhase) else None


def stage_of(custom_status: Any) -> Stage | None:
    """The stage in an orchestration's custom status; None for one that this version of the app does not know."""
    said = custom_status.get("stage") if isinstance(custom_status, dict) else None
    return Stage(said) if isinstance(said, str) and said in set(Stage) else None
