"""Orchestrations and activities: chain, fan-out, retry, sub-orchestration, continue-as-new, event against timer."""

import json
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from function_app import journal  # type: ignore[attr-defined]  # mypy sees the project's own package of this name

Steps = Generator[Any, Any, Any]


def blueprint() -> df.Blueprint:
    """All of the sample's workflows."""
    bp = df.Blueprint()
    _orchestrations(bp)
    _waiting(bp)
    _activities(bp)
    return bp


def _orchestrations(bp: df.Blueprint) -> None:
    @bp.orchestration_trigger(context_name="context")
    def chain(context: df.DurableOrchestrationContext) -> Steps:
        """Add one, three times, one after the other."""
        value = context.get_input()["start"]
        for step in range(3):
            context.set_custom_status({"step": step})
            value = yield context.call_activity("add_one", {"value": value, "run": context.instance_id})
        return {"value": value}

    @bp.orchestration_trigger(context_name="context")
    def fan_out(context: df.DurableOrchestrationContext) -> Steps:
        """Add one to many at once."""
        width = context.get_input()["width"]
        calls = [context.call_activity("add_one", {"value": n, "run": context.instance_id}) for n in range(width)]
        results = yield context.task_all(calls)
        return sum(results)

    @bp.orchestration_trigger(context_name="context")
    def stubborn(context: df.DurableOrchestrationContext) -> Steps:
        """Retry an activity that fails a given number of times."""
        asked = {**context.get_input(), "run": context.instance_id}
        result = yield context.call_activity_with_retry("fails_at_first", df.RetryOptions(20, 3), asked)
        return result

    @bp.orchestration_trigger(context_name="context")
    def parent(context: df.DurableOrchestrationContext) -> Steps:
        """Leave the work to two children."""
        first = yield context.call_sub_orchestrator("chain", {"start": 10})
        second = yield context.call_sub_orchestrator("fan_out", {"width": 3})
        return {"first": first["value"], "second": second}

    @bp.orchestration_trigger(context_name="context")
    def countdown(context: df.DurableOrchestrationContext) -> Steps:
        """Continue as new until nothing is left."""
        left = context.get_input()["left"]
        yield context.call_activity("add_one", {"value": left, "run": context.instance_id})
        if left:
            context.continue_as_new({"left": left - 1})
            return None
        return "lift-off"


def _waiting(bp: df.Blueprint) -> None:
    @bp.orchestration_trigger(context_name="context")
    def approval(context: df.DurableOrchestrationContext) -> Steps:
        """Wait for a decision, but not for ever."""
        seconds = (context.get_input() or {}).get("seconds", 60)
        decision = context.wait_for_external_event("decision")
        timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
        winner = yield context.task_any([decision, timer])
        if winner is timer:
            return "timed out"
        timer.cancel()
        given = decision.result
        # The SDK hands over the text it was given; a raw HTTP caller's value arrives as it is.
        return json.loads(given) if isinstance(given, str) else given

    @bp.orchestration_trigger(context_name="context")
    def slow(context: df.DurableOrchestrationContext) -> Steps:
        """Take several slow steps, so that something can go wrong in between."""
        done = []
        for step in range(4):
            asked = {"step": step, "seconds": 0.4, "run": context.instance_id}
            done.append((yield context.call_activity("takes_time", asked)))
            yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=100))
        return done


def _activities(bp: df.Blueprint) -> None:
    @bp.activity_trigger(input_name="command")
    def add_one(command: dict) -> int:  # type: ignore[type-arg]  # the worker takes plain types only
        journal.note("add_one", **command)
        return int(command["value"]) + 1

    @bp.activity_trigger(input_name="command")
    async def fails_at_first(command: dict) -> str:  # type: ignore[type-arg]  # the worker takes plain types only
        journal.note("attempt", run=command["run"])
        attempts = journal.count("attempt", run=command["run"])
        if attempts <= command["failures"]:
            raise ConnectionError(f"attempt {attempts} failed")
        return f"worked at attempt {attempts}"

    @bp.activity_trigger(input_name="command")
    def takes_time(command: dict) -> int:  # type: ignore[type-arg]  # the worker takes plain types only
        journal.note("began", step=command["step"], run=command["run"])
        time.sleep(command["seconds"])
        journal.note("ended", step=command["step"], run=command["run"])
        return int(command["step"])
