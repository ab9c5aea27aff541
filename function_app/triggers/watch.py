"""The reconciler's timer trigger. A cycle is in ``function_app.reconciler``, imported when it first runs."""

import asyncio
import logging
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services

log = logging.getLogger(__name__)

SCHEDULE = "0 */2 * * * *"  # every two minutes: 30 executions an hour, one for all steps and pipelines


def blueprint(services: Services) -> df.Blueprint:
    """The timer. The host runs it on one instance, never twice at a time; a run started by hand may overlap."""
    bp = df.Blueprint()
    passing = asyncio.Lock()

    @bp.timer_trigger(schedule=SCHEDULE, arg_name="timer")
    @bp.durable_client_input(client_name="client")
    async def keep_watch(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
        from function_app.reconciler.cycle import run_cycle

        if passing.locked():
            log.warning("the previous cycle is still running; this one is skipped")
            return
        async with passing:
            if timer.past_due:
                log.info("a cycle was due while the app was not running")
            await run_cycle(services, client, datetime.now(UTC))

    return bp
