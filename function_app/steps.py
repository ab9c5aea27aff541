"""Registers every activity from its contract row: wire in, body, wire out; a permanent error becomes a reply."""

import logging
from collections.abc import Callable
from typing import Any

import azure.durable_functions as df

from activities.admit_run import admit_run
from activities.build_image import build_image
from activities.cancel_training import cancel_training
from activities.check_training import check_training
from activities.close_window import close_window
from activities.collect_training import collect_training
from activities.read_champion import read_champion
from activities.read_window import read_window
from activities.record_run import record_run
from activities.record_verdict import record_verdict
from activities.register_model import register_model
from activities.remove_candidate import remove_candidate
from activities.start_candidate import start_candidate
from activities.submit_training import submit_training
from activities.switch_traffic import switch_traffic
from activities.verify_candidate import verify_candidate
from function_app.services import Services
from shared import contracts as c
from shared.contracts import Activity, accepted, rejected
from shared.errors import PermanentError
from shared.wire import from_wire

log = logging.getLogger(__name__)

Body = Callable[[Any], object]


def bodies(s: Services) -> dict[str, Body]:
    """Activity name -> body with its collaborators; these are built when an activity first runs."""
    return {
        c.READ_WINDOW.name: lambda x: read_window(x, pipelines=s.pipelines, windows=s.ledger.arrivals),
        c.CLOSE_WINDOW.name: lambda x: close_window(x, windows=s.ledger.arrivals),
        c.ADMIT_RUN.name: lambda x: admit_run(x, **s.admission()),
        c.RECORD_VERDICT.name: lambda x: record_verdict(x, windows=s.ledger.arrivals),
        c.SUBMIT_TRAINING.name: lambda x: submit_training(
            x, driver=s.driver, pipelines=s.pipelines, environments=s.job_folders
        ),
        c.CHECK_TRAINING.name: lambda x: check_training(x, driver=s.driver),
        c.CANCEL_TRAINING.name: lambda x: cancel_training(x, driver=s.driver),
        c.COLLECT_TRAINING.name: lambda x: collect_training(x, driver=s.driver),
        c.READ_CHAMPION.name: lambda x: read_champion(x, champions=s.ledger.champions),
        c.REGISTER_MODEL.name: lambda x: register_model(x, registry=s.model_registry, pipelines=s.pipelines),
        c.BUILD_IMAGE.name: lambda x: build_image(
            x, artifacts=s.driver, dependencies=s.scoring_images, registry=s.container_registry
        ),
        c.START_CANDIDATE.name: lambda x: start_candidate(x, vms=s.vms),
        c.VERIFY_CANDIDATE.name: lambda x: verify_candidate(x, vms=s.vms),
        c.SWITCH_TRAFFIC.name: lambda x: switch_traffic(x, vms=s.vms),
        c.REMOVE_CANDIDATE.name: lambda x: remove_candidate(x, vms=s.vms),
        c.RECORD_RUN.name: lambda x: record_run(x, runs=s.ledger.runs, champions=s.ledger.champions),
    }


def blueprint(services: Services) -> df.Blueprint:
    """One activity function per contract row; a row without a body, or a body without a row, stops the start."""
    bp, found = df.Blueprint(), bodies(services)
    rows = {activity.name: activity for activity in c.ACTIVITIES}
    if rows.keys() != found.keys():
        raise RuntimeError(f"contracts and activities differ: {sorted(rows.keys() ^ found.keys())}")
    for name, activity in rows.items():
        bp.activity_trigger(input_name="command")(step(activity, found[name]))
    return bp


def step(activity: Activity[Any, Any], body: Body) -> Callable[[Any], dict[str, Any]]:
    """The function that the host calls: plain JSON on both sides, named after the activity."""

    def run(command: dict) -> dict:  # type: ignore[type-arg]  # the worker takes plain types only
        try:
            return accepted(body(from_wire(activity.accepts, command)))
        except PermanentError as error:
            log.warning("%s is rejected: %s: %s", activity.name, error.code.value, error.reason)
            return rejected(error)

    run.__name__ = activity.name
    run.__qualname__ = activity.name
    return run
