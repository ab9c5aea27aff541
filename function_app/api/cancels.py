"""Cancel a run that is under way, or the run retry of one that failed for a cause outside."""

import azure.durable_functions as df

from function_app.api import models as m
from function_app.composition import Services
from function_app.run_hands import cancel
from shared.messages import Actor


async def cancel_run(
    run_id: str, body: m.HandBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> m.Cancelled:
    """See :func:`cancel`."""
    sentence = await cancel(run_id, actor, body.reason, services, client)
    return m.Cancelled(run_id=run_id, sentence=sentence)
