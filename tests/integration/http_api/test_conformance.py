"""The document is what the app does: every operation, with what fits the document and with what does not.

What is known to exist is asked for first. The generated requests, which may start runs, are the same every time; half
of those that fit use names that exist, so that answers with content are held against their schemas as well.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from function_app.api.handlers import handler_of
from function_app.api.operations import OPERATIONS, Operation
from tests.integration.http_api.conftest import EMPTY, HOLDOUT, PIPELINE, STRAY, TRAINED, WAITING, App
from tests.support.service_process import eventually

EXAMPLES = 12
LONGEST = 6_000  # a host refuses a longer address before the app sees it
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
ASKING = {known.name: known for known in OPERATIONS if handler_of(known).query or handler_of(known).body}
ALL = {known.name: known for known in OPERATIONS}
NOTHING_YET = {
    "approve_run",
    "reject_run",
    "resume_run",
    "reinstate_pipeline",
    "roll_back",
    "get_action",
    "get_passport",
    "page_ticket",
}
"""Operations that have nothing to act on in this ledger: they refuse."""


@pytest.fixture(scope="module")
def api(app: App) -> Any:
    """The document as the app serves it."""
    return schemathesis.openapi.from_url(f"{app.host.url}/api/openapi.json", headers=app.key)


def check(app: App, cases: st.SearchStrategy[Any]) -> set[int]:
    """Send the cases and hold the answers against the document; the statuses that came."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=cases)
    def send(case: Any) -> None:
        assume(len(case.as_curl_command()) < LONGEST)
        statuses.add(case.call_and_validate(headers=app.key, checks=CHECKS).status_code)

    send()
    return statuses


def bound(api: Any, known: Operation) -> APIOperation[Any, Any, Any, Any]:
    found: APIOperation[Any, Any, Any, Any] = api[f"/api/{known.path}"][known.method]
    return found


def existing(app: App, known: Operation) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Values for the path and the query that lead to something."""
    name = EMPTY if known.name in {"retire_pipeline", "reinstate_pipeline"} else PIPELINE  # others need it at work
    path = {
        "name": name,
        "run_id": app.run_id,
        "target": "hub-vm",
        "action_id": "none",
        "model": PIPELINE,
        "version": "1",
    }
    queries = {
        "why": {"pipeline": PIPELINE, "blob": TRAINED},
        "compare_runs": {"left": app.run_id, "right": app.run_id},
    }
    query = queries.get(known.name, {})
    return {name: value for name, value in path.items() if f"{{{name}}}" in known.path}, query


@pytest.mark.parametrize("blob", [TRAINED, WAITING, STRAY, HOLDOUT, "landing/none.csv"])
def test_every_kind_of_explanation_fits_its_schema(app: App, api: Any, blob: str) -> None:
    case = bound(api, ALL["why"]).Case(query={"pipeline": PIPELINE, "blob": blob})

    case.call_and_validate(headers=app.key, checks=CHECKS)


@pytest.mark.parametrize(("name", "status"), [(PIPELINE, 200), (EMPTY, 409), ("none", 404)])
def test_every_kind_of_start_fits_its_schema(app: App, api: Any, name: str, status: int) -> None:
    case = bound(api, ALL["start_run"]).Case(path_parameters={"name": name}, body={}, media_type="application/json")

    assert case.call_and_validate(headers=app.key, checks=CHECKS).status_code == status


def test_a_run_that_starts_is_shown_until_it_ends(app: App, api: Any) -> None:
    start = bound(api, ALL["start_run"]).Case(
        path_parameters={"name": PIPELINE}, body={"force": True, "reason": "once more"}, media_type="application/json"
    )
    answer = start.call_and_validate(headers=app.key, checks=CHECKS)
    assert answer.status_code == 202, answer.text
    path, query = {"run_id": answer.json()["run_id"]}, {"pipeline": PIPELINE, "blob": TRAINED}

    def outcome() -> str | None:
        why = bound(api, ALL["why"]).Case(query=query).call_and_validate(headers=app.key, checks=CHECKS).json()
        run = bound(api, ALL["get_run"]).Case(path_parameters=path).call_and_validate(headers=app.key, checks=CHECKS)
        assert why["run"]["run_id"] == path["run_id"]
        assert run.json()["forced"]
        assert re.fullmatch("asked by the holder of function key .+: once more", run.json()["note"])
        found: str | None = run.json()["outcome"]
        return found

    assert eventually(outcome) == "failed"


@pytest.mark.parametrize("name", ALL)
def test_what_fits_the_document_is_answered_as_it_says(app: App, api: Any, name: str) -> None:
    operation, (path, query) = bound(api, ALL[name]), existing(app, ALL[name])

    found = check(app, operation.as_strategy(path_parameters=dict(path), query=dict(query)))

    if name not in NOTHING_YET:
        assert found & {200, 202}, "an answer with content was held against its schema"
    if path or query:
        check(app, operation.as_strategy())


@pytest.mark.parametrize("name", ASKING)
def test_what_does_not_fit_is_refused_as_it_says(app: App, api: Any, name: str) -> None:
    cases = bound(api, ASKING[name]).as_strategy(GenerationMode.NEGATIVE)

    assert not check(app, cases) & {200, 202}


def test_every_operation_wants_the_key(app: App, api: Any) -> None:
    for known in OPERATIONS:
        if known.keyed:
            path, query = existing(app, known)
            case = bound(api, known).Case(path_parameters=dict(path), query=dict(query))
            assert case.call().status_code == 401, known.name


def test_the_host_reported_no_fault_of_its_own(app: App) -> None:
    assert "incident" not in app.host.log.read_text(encoding="utf-8")
