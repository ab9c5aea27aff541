"""Registers every orchestration under its stored name, which stays when names in our code change."""

from collections.abc import Callable, Mapping
from typing import Any

import azure.durable_functions as df

from function_app.tracing import traced_orchestration
from orchestrations import call_safely, finalize_orphaned_run, hand_actions, reach_goal
from orchestrations.await_compute import await_compute
from orchestrations.await_training import await_training
from orchestrations.request_run import request_run
from orchestrations.retrain_model import retrain_model
from orchestrations.roll_out import roll_out
from orchestrations.settle_arrivals import settle_arrivals

ORCHESTRATIONS: Mapping[str, Callable[[df.DurableOrchestrationContext], Any]] = {
    "settle_arrivals": settle_arrivals,
    "request_run": request_run,
    "retrain_model": retrain_model,
    "await_compute": await_compute,
    "await_training": await_training,
    call_safely.NAME: call_safely.call_activity_safely,
    "roll_out": roll_out,
    hand_actions.ROLL_BACK: hand_actions.roll_back,
    hand_actions.RETIRE: hand_actions.retire,
    reach_goal.NAME: reach_goal.reach_goal,
    finalize_orphaned_run.NAME: finalize_orphaned_run.finalize_orphaned_run,
}


def blueprint() -> df.Blueprint:
    """All orchestrations, each under its registered name."""
    bp = df.Blueprint()
    for name, orchestration in ORCHESTRATIONS.items():
        traced = traced_orchestration(name, orchestration)
        bp.function_name(name)(bp.orchestration_trigger(context_name="context")(traced))
    return bp
