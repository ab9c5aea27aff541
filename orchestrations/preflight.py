"""The first step of a run: is everything there that its training needs? Asked before a compute is held."""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from shared.contracts import PREFLIGHT_RUN
from shared.errors import Code, PermanentError
from shared.messages import PREFLIGHT_SCHEMA, Preflight, RunRequest


def preflight(context: df.DurableOrchestrationContext, request: RunRequest) -> Generator[Any, Any, str]:
    """What is wrong beyond doubt, with its remedy; empty when the run may begin.

    Whatever else happens to the question, the training will show. Runs from before, and runs that have trained already,
    do not ask.
    """
    if request.schema < PREFLIGHT_SCHEMA or request.resumed or request.continues:
        return ""
    order = Preflight(
        run_id=request.run_id,
        pipeline=request.pipeline,
        site=request.snapshot.site,
        compute=request.plan.compute,
        job=request.plan.job,
    )
    try:
        yield from PREFLIGHT_RUN.call(context, order)
    except PermanentError as error:
        return error.reason if error.code is Code.NOT_READY else ""
    except Exception:  # noqa: BLE001 - the question failed, not what it asks about
        return ""
    return ""
