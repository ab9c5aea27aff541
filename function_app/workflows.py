"""Registers every orchestration under its name."""

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df

from orchestrations.await_compute import await_compute
from orchestrations.await_training import await_training
from orchestrations.call_safely import guarded_step
from orchestrations.finalize_orphaned_run import wind_up_run
from orchestrations.request_run import request_run
from orchestrations.retrain_model import retrain_model
from orchestrations.roll_out import roll_out
from orchestrations.settle_arrivals import settle_arrivals

ORCHESTRATIONS: tuple[Callable[[df.DurableOrchestrationContext], Any], ...] = (
    settle_arrivals,
    request_run,
    retrain_model,
    await_compute,
    await_training,
    guarded_step,
    roll_out,
    wind_up_run,
)


def blueprint() -> df.Blueprint:
    """All orchestrations; the host knows each by its Python name."""
    bp = df.Blueprint()
    for orchestration in ORCHESTRATIONS:
        bp.orchestration_trigger(context_name="context")(orchestration)
    return bp
