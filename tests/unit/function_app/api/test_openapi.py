"""The document says what is bound and what is answered, in OpenAPI 3.1 and JSON Schema."""

import re
from dataclasses import dataclass, fields
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from jsonschema import Draft202012Validator

from function_app.api import models as m
from function_app.api.handlers import handler_of
from function_app.api.openapi import document
from function_app.api.operations import OPERATIONS, Operation
from function_app.problems import problem
from function_app.triggers import operations
from shared.values.wire import to_wire
from tests.support.api import MemoryServices, text_of
from tests.support.arrivals import a_run_record


@dataclass(frozen=True)
class Bound:
    name: str
    method: str
    path: str
    keyed: bool


def bound() -> set[Bound]:
    """What the host is told."""
    app = df.DFApp()
    app.register_functions(operations.blueprint(MemoryServices()))
    triggers = {function.get_function_name(): function.get_trigger() for function in app.get_functions()}
    return {
        Bound(
            name,
            trigger.methods[0].value,
            trigger.route.removeprefix("api/"),
            trigger.auth_level is not func.AuthLevel.ANONYMOUS,
        )
        for name, trigger in triggers.items()
    }


def test_names_routes_and_keys_stay_what_callers_know() -> None:
    assert bound() == {
        Bound("start_run", "POST", "pipelines/{name}/runs", keyed=True),
        Bound("list_runs", "GET", "runs", keyed=True),
        Bound("get_run", "GET", "runs/{run_id}", keyed=True),
        Bound("cancel_run", "POST", "runs/{run_id}/cancel", keyed=True),
        Bound("approve_run", "POST", "runs/{run_id}/approve", keyed=True),
        Bound("reject_run", "POST", "runs/{run_id}/reject", keyed=True),
        Bound("resume_run", "POST", "runs/{run_id}/resume", keyed=True),
        Bound("compare_runs", "GET", "compare", keyed=True),
        Bound("retire_pipeline", "POST", "pipelines/{name}/retire", keyed=True),
        Bound("reinstate_pipeline", "POST", "pipelines/{name}/reinstate", keyed=True),
        Bound("list_targets", "GET", "targets", keyed=True),
        Bound("roll_back", "POST", "targets/{target}/pipelines/{name}/roll-back", keyed=True),
        Bound("get_action", "GET", "actions/{action_id}", keyed=True),
        Bound("list_models", "GET", "models", keyed=True),
        Bound("get_model", "GET", "models/{model}", keyed=True),
        Bound("get_passport", "GET", "models/{model}/{version}/passport", keyed=True),
        Bound("list_pipelines", "GET", "pipelines", keyed=True),
        Bound("get_pipeline", "GET", "pipelines/{name}", keyed=True),
        Bound("list_arrivals", "GET", "pipelines/{name}/arrivals", keyed=True),
        Bound("get_calendar", "GET", "pipelines/{name}/calendar", keyed=True),
        Bound("list_strays", "GET", "arrivals", keyed=True),
        Bound("why", "GET", "why", keyed=True),
        Bound("release", "POST", "pipelines/{name}/release", keyed=True),
        Bound("page_ticket", "POST", "page/tickets", keyed=True),
        Bound("doctor", "GET", "doctor", keyed=True),
        Bound("openapi", "GET", "openapi.json", keyed=True),
        Bound("health", "GET", "health", keyed=False),
    }


@pytest.mark.parametrize("known", OPERATIONS, ids=lambda known: known.name)
def test_every_function_asks_only_for_what_its_operation_is_given(known: Operation) -> None:
    handler = handler_of(known)
    named = set(re.findall(r"{(\w+)}", known.path))

    assert handler.takes - {"services", "query", "body", "idempotency_key", "actor", "key_name", "accept"} == named | (
        {"client"} if known.durable else set()
    )
    assert handler.answers.keys() == known.answers.keys()


def test_the_document_is_openapi_3_1_with_every_operation() -> None:
    found = document()

    assert found["openapi"] == "3.1.0"
    listed = {
        (path, method, shown["operationId"])
        for path, methods in found["paths"].items()
        for method, shown in methods.items()
    }
    assert listed == {(f"/api/{known.path}", known.method.lower(), known.name) for known in OPERATIONS}


def test_every_schema_is_valid_and_every_reference_leads_somewhere() -> None:
    found = document()

    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r"#/components/schemas/(\w+)", str(found)):
        assert reference in found["components"]["schemas"]


def test_only_health_is_open_to_everyone() -> None:
    found = document()

    everyone = {
        shown["operationId"]
        for methods in found["paths"].values()
        for shown in methods.values()
        if shown.get("security") == []
    }
    assert everyone == {"health"}
    assert found["security"] == [{"function_key": []}]


def test_parameters_are_described_with_their_bounds() -> None:
    asked = {entry["name"]: entry for entry in document()["paths"]["/api/runs"]["get"]["parameters"]}

    assert set(asked) == {"limit", "continuation", "pipeline", "outcome", "since"}
    assert asked["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 500,
        "default": 50,
        "description": "how many the answer holds at most",
    }
    assert not any(entry["required"] for entry in asked.values())
    kind = document()["paths"]["/api/arrivals"]["get"]["parameters"]
    assert [entry["required"] for entry in kind if entry["name"] == "kind"] == [True]


def test_every_problem_has_the_same_shape() -> None:
    said = text_of(problem(400, "bad_request", "limit must be a whole number", field="limit"))

    assert said == to_wire(
        m.Problem(
            type="urn:edgetrain:bad_request",
            title="bad request",
            status=400,
            detail="limit must be a whole number",
            field="limit",
        )
    )


LISTED = m.ListedRun(**{part.name: getattr(a_run_record(), part.name) for part in fields(a_run_record())})


@pytest.mark.parametrize(
    "shown", [m.RunsPage(runs=(LISTED,), continuation=None), m.Released(released=(), sentence="nothing")]
)
def test_an_answer_fits_its_schema(shown: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{type(shown).__name__}", "components": document()["components"]}

    Draft202012Validator(schema).validate(to_wire(shown))
