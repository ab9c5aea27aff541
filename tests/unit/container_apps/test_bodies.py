"""ARM bodies: what is written names every revision, and what is read may be of another hand."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.container_apps.bodies import (
    Surroundings,
    new_app,
    new_revision,
    new_traffic,
    read_app,
    read_revision,
)
from shared.clients.container_apps.names import PLAN_TAG, REVISION_TAG, RUN_VARIABLE
from shared.messages.serving import ServingPlan
from tests.unit.container_apps.test_names import a_plan, a_release

AROUND = Surroundings(location="l", environment_id="/e", registry="r.example", username="u", password="secret")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "properties", "configuration", "ingress", "traffic", "template", "containers", "tags"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_a_new_app_names_its_revision_and_reads_back() -> None:
    body = new_app("digits", a_release("run-1"), AROUND, {REVISION_TAG: "1-a", PLAN_TAG: "x=100"})
    configuration = body["properties"]["configuration"]
    assert configuration["activeRevisionsMode"] == "Multiple"
    assert "latestRevision" not in str(body)
    app = read_app({**body, "name": "digits"})
    assert (app.revision, app.planned, app.mode) == ("1-a", {"x": 100}, "Multiple")
    template = body["properties"]["template"]
    (named,) = app.weights
    assert named == f"digits--{template['revisionSuffix']}"

    seen = read_revision(app, {"name": named, "properties": {"template": template, "active": True}})
    assert (seen.run_id, seen.image, seen.weight) == ("run-1", a_release().image, 100)


def test_the_password_is_a_secret_of_the_app_and_of_no_text() -> None:
    body = new_revision(a_release(), AROUND, {})
    assert {"name": "pull", "value": "secret"} in body["properties"]["configuration"]["secrets"]
    assert "secret" not in repr(AROUND)


def test_an_identity_pulls_without_a_password() -> None:
    around = Surroundings(location="l", environment_id="/e", registry="r.example", identity="/i")
    body = new_app("digits", a_release(), around, {})
    assert body["identity"]["userAssignedIdentities"] == {"/i": {}}
    assert body["properties"]["configuration"]["registries"] == [{"server": "r.example", "identity": "/i"}]


def test_only_what_has_weight_is_named_in_the_traffic() -> None:
    body = new_traffic("digits", a_plan(a_release("a", 100), a_release("b", 0)), {})
    assert [entry["weight"] for entry in body["properties"]["configuration"]["ingress"]["traffic"]] == [100]
    nothing = new_traffic("digits", ServingPlan(target="t", pipeline="digits"), {})
    assert "ingress" not in nothing["properties"]["configuration"]


def test_weight_of_the_latest_revision_is_that_of_the_one_it_is() -> None:
    traffic = [{"latestRevision": True, "weight": 60}, {"revisionName": "a--1", "weight": 40}]
    properties = {"latestRevisionName": "a--1", "configuration": {"ingress": {"traffic": traffic}}}
    body = {"name": "a", "properties": properties}
    assert read_app(body).weights == {"a--1": 100}


@given(JSON)
def test_whatever_comes_is_read_or_refused(body: Any) -> None:
    app = read_app({"name": "a", "properties": {}})
    for read in (read_app, lambda given: read_revision(app, given)):
        with contextlib.suppress(ValueError):
            read(body)


def test_a_revision_of_somebody_else_has_no_run() -> None:
    app = read_app({"name": "a", "properties": {}})
    body = {"name": "a--x", "properties": {"template": {"containers": [{"env": [{"name": "other", "value": "y"}]}]}}}
    assert read_revision(app, body).run_id == ""
    assert RUN_VARIABLE not in str(body)


@pytest.mark.parametrize(
    ("running", "health", "runs"),
    [
        ("Running", "Healthy", True),
        ("RunningAtMaxScale", "Healthy", True),
        ("Running", "None", False),
        ("Failed", "Healthy", False),
    ],
)
def test_a_revision_runs_when_the_service_says_both(running: str, health: str, runs: bool) -> None:
    app = read_app({"name": "a", "properties": {}})
    properties = {"active": True, "provisioningState": "Provisioned", "runningState": running, "healthState": health}
    assert read_revision(app, {"name": "a--x", "properties": properties}).runs is runs
