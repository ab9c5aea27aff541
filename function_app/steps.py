"""Registers every activity from its contract row: wire in, body, wire out; a permanent error becomes a reply."""

import logging
from collections.abc import Callable
from typing import Any

import azure.durable_functions as df

from function_app import activity_wiring
from function_app.services import Services
from shared.contracts import ACTIVITIES, Activity, accepted, rejected
from shared.errors import PermanentError
from shared.wire import from_wire

log = logging.getLogger(__name__)

Body = Callable[[Any, Services], object]


def blueprint(services: Services) -> df.Blueprint:
    """One activity function per contract row; a row without a body in ``activity_wiring`` stops the start."""
    bp = df.Blueprint()
    for activity in ACTIVITIES:
        bp.activity_trigger(input_name="command")(step(activity, getattr(activity_wiring, activity.name), services))
    return bp


def step(activity: Activity[Any, Any], body: Body, services: Services) -> Callable[[Any], dict[str, Any]]:
    """The function that the host calls: plain JSON on both sides, named after the activity."""

    def run(command: dict) -> dict:  # type: ignore[type-arg]  # the worker takes plain types only
        try:
            return accepted(body(from_wire(activity.accepts, command), services))
        except PermanentError as error:
            log.warning("%s is rejected: %s: %s", activity.name, error.code.value, error.reason)
            return rejected(error)

    run.__name__ = activity.name
    run.__qualname__ = activity.name
    return run
