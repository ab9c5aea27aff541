"""A reconciler cycle: what others left undone is done, and what others keep in several places is brought in line.

Unreported data changes, overdue data, orphaned windows and runs, due schedules and retries, targets, tags of models,
what is kept no longer, unsent outcomes. It acts only after a grace period, and each step can be repeated. An error in
one step, pipeline, window or run does not stop the others.
"""

import asyncio
import logging
import time
from datetime import datetime

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.data_changes import detect_data_changes
from function_app.reconciler.due_schedules import start_due
from function_app.reconciler.hand_actions import recover_actions
from function_app.reconciler.instances import DurableClient
from function_app.reconciler.metrics import tell_metrics
from function_app.reconciler.model_tags import keep_model_tags
from function_app.reconciler.orphaned_runs import recover_runs
from function_app.reconciler.orphaned_windows import recover_windows
from function_app.reconciler.outcome_answers import send_due_outcomes
from function_app.reconciler.overdue import watch_for_overdue
from function_app.reconciler.retention import keep_bounded
from function_app.reconciler.retries import try_again
from function_app.reconciler.targets import look_after_targets
from function_app.reconciler.troubles import check_pipeline_files, record_troubles
from shared.values.texts import counted

log = logging.getLogger(__name__)


async def run_cycle(services: Services, client: DurableClient, now: datetime) -> CycleContext:
    """Run one cycle; a summary is logged on one line."""
    began = time.monotonic()
    await asyncio.to_thread(services.renewed, services.generation)  # what this process was refused may work again
    context = CycleContext(services, client, now)
    await check_pipeline_files(context)
    unfinished = await recover_windows(context)
    await recover_runs(context)
    await recover_actions(context)
    await try_again(context)
    await start_due(context)
    await detect_data_changes(context, unfinished)
    await watch_for_overdue(context, unfinished)
    await look_after_targets(context)
    await keep_model_tags(context)
    await record_troubles(context)
    await keep_bounded(context)
    await tell_metrics(context)
    await send_due_outcomes(context)  # last, because a broker that does not answer takes long
    log.info(
        "cycle over %s in %.1f s: %s",
        counted(len(services.pipelines.all), "pipeline"),
        time.monotonic() - began,
        context.summary,
    )
    return context
