"""Put an end to a run: stop its orchestrations, and start the one that undoes what it made outside.

Terminating an orchestration stops none of its children and none of its activities. So the children are terminated too,
and what an activity that still runs would do afterwards is refused, because the ledger knows that the run is to end.
"""

from function_app.reconciler.instances import DurableClient, look_up, start
from orchestrations.finalize_orphaned_run import NAME as FINALIZE_RUN
from shared.decisions.reconciliation.orphans import InstanceStatus, Liveness
from shared.messages import RunEnd, RunRequest
from shared.orchestration_ids import children_of, finalization_id


async def finalization_of(client: DurableClient, run_id: str) -> InstanceStatus:
    """The run's finalization."""
    return await look_up(client, finalization_id(run_id))


async def finalize(client: DurableClient, request: RunRequest, end: RunEnd, why: str) -> None:
    """Terminate every orchestration of the run that lives, and start its finalization.

    The caller has seen that no finalization is alive; the host refuses a second one.
    """
    for instance_id in (request.run_id, *children_of(request)):
        if (await look_up(client, instance_id)).life is Liveness.ALIVE:
            await client.terminate(instance_id, why)
    await start(client, FINALIZE_RUN, finalization_id(request.run_id), end)
