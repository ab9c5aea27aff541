"""Start an orchestration whose claim the caller holds: once, however often it is asked."""

import azure.durable_functions as df

from shared.wire import to_wire


async def start_once(client: df.DurableOrchestrationClient, name: str, instance_id: str, request: object) -> bool:
    """Start ``name`` unless an instance of that id was ever started; whether it was started now.

    ``start_new`` would replace a finished instance silently, so the caller must hold the claim in the ledger that the
    id stands for: only then can nobody else start it between the question and the start.
    """
    status = await client.get_status(instance_id)
    if status.runtime_status is not None:
        return False
    await client.start_new(name, instance_id, to_wire(request))
    return True
