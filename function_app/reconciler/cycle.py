"""A pass of the reconciler: what nobody told, what nobody started, what nobody ended.

Everything here is somebody else's work that was left undone, so it is done only after a grace period, and each step may
be repeated. No step, pipeline, window or run that fails stops the others.
"""

import logging
import time
from datetime import datetime

from function_app.reconciler.cycle_context import Pass
from function_app.reconciler.data_changes import detect_data_changes
from function_app.reconciler.due_schedules import start_due
from function_app.reconciler.instances import DurableClient
from function_app.reconciler.orphaned_runs import adopt_runs
from function_app.reconciler.orphaned_windows import adopt_windows
from function_app.reconciler.outcome_answers import answer_followers
from function_app.reconciler.retries import try_again
from function_app.reconciler.troubles import check_pipeline_files, keep_troubles
from function_app.services import Services

log = logging.getLogger(__name__)


async def make_pass(services: Services, client: DurableClient, now: datetime) -> Pass:
    """One pass over everything; what it did goes to the log in one line."""
    began = time.monotonic()
    this = Pass(services, client, now)
    await check_pipeline_files(this)
    unfinished = await adopt_windows(this)
    await adopt_runs(this)
    await try_again(this)
    await start_due(this)
    await detect_data_changes(this, unfinished)
    await keep_troubles(this)
    await answer_followers(this)  # last, because a broker that is away takes its time
    log.info(
        "pass over %d pipelines in %.1f s: %s", len(services.pipelines.all), time.monotonic() - began, this.summary
    )
    return this
