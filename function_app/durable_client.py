"""What the app asks of the Durable client: how an orchestration is, and to start one whose claim the caller holds."""

from typing import Any, Protocol

from shared.errors import TransientError
from shared.messages import Stage
from shared.texts import shortened
from shared.wire import to_wire


class DurableClient(Protocol):
    """The little that is needed of the Durable client."""

    async def get_status(self, instance_id: str, /) -> Any:
        """The instance's status; one without a runtime status when there is no such instance."""

    async def start_new(self, name: str, instance_id: str, client_input: Any, /) -> Any:
        """Start an instance, in place of one that has ended; raises for one that is alive."""


async def status_of(client: DurableClient, instance_id: str) -> Any | None:
    """The status of an instance, or None when there is none of that id; raises when the host did not say."""
    status = await client.get_status(instance_id)
    if status.runtime_status is not None:
        return status
    # The SDK makes the same empty status of "there is none" (an empty answer) and of the host's own errors.
    if getattr(status, "message", None) != "":
        raise TransientError(
            f"the host did not give the status of orchestration {instance_id}: {shortened(vars(status))}"
        )
    return None


async def start_once(client: DurableClient, name: str, instance_id: str, request: object) -> bool:
    """Start ``name`` unless an instance of that id was ever started; whether it was started now.

    ``start_new`` would replace a finished instance silently, so the caller must hold the claim in the ledger that the
    id stands for: only then can nobody else start it between the question and the start.
    """
    if await status_of(client, instance_id) is not None:
        return False
    try:
        await client.start_new(name, instance_id, to_wire(request))
    except Exception:  # the SDK knows no narrower type
        # The host refuses a second start of what is under way: a redelivery of the same may have been quicker.
        if await status_of(client, instance_id) is None:
            raise
        return False
    return True


def stage_of(custom_status: Any) -> Stage | None:
    """The stage that an orchestration says it is in; None for one that this version of the app does not know."""
    said = custom_status.get("stage") if isinstance(custom_status, dict) else None
    return Stage(said) if said in set(Stage) else None
