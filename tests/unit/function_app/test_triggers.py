"""The pure parts of the triggers, without a host."""

import json
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.problems import problem_of
from function_app.services import Services
from function_app.steps import step
from function_app.triggers.data_arrival import payload_of
from function_app.triggers.operations import admission_answer, parameters_of
from function_app.triggers.training_status import run_id_of
from shared.contracts import READ_CHAMPION
from shared.decisions.arrivals import arrival_from
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Champion, ChampionQuery
from shared.wire import to_wire
from tests.support.workflow import START

DATA = {"api": "PutBlob", "eTag": '"0x1"', "contentLength": 7, "url": "https://factory.blob.local/c/landing/a.csv"}
SUBJECT = "/blobServices/default/containers/c/blobs/landing/a.csv"
KIND = "Microsoft.Storage.BlobCreated"


def event_grid(data: Any) -> func.EventGridEvent:
    return func.EventGridEvent(
        id="1", topic="", subject=SUBJECT, event_type=KIND, event_time=START, data=data, data_version=""
    )


def test_both_schemas_become_the_same_arrival() -> None:
    cloud = func.CloudEvent(id="1", source="", subject=SUBJECT, type=KIND, time=START, specversion="1.0", data=DATA)

    arrivals = [arrival_from(payload_of(event), received_at=START) for event in (event_grid(DATA), cloud)]

    assert arrivals[0] == arrivals[1]
    assert (arrivals[0].account, arrivals[0].blob, arrivals[0].etag) == ("factory", "landing/a.csv", "0x1")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"nonsense", "not JSON"),
        (b"[]", '{"parameters": {...}}'),
        (b'{"parameter": {}}', "nothing else is known"),
        (b'{"parameters": []}', "an object of names to values"),
        (b'{"parameters": {"c": [1]}}', "parameters.c must be"),
        (b'{"parameters": {"c": null}}', "parameters.c must be"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"parameters": {"c": NaN}}', "parameters.c must be a finite number"),
        (b'{"parameters": {"c": 1e999}}', "parameters.c must be a finite number"),
    ],
)
def test_a_bad_body_names_the_field(body: bytes, says: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parameters_of(body)

    assert says in caught.value.reason
    assert caught.value.code is Code.BAD_REQUEST


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_body_is_understood_or_refused(body: bytes) -> None:
    try:
        understood = parameters_of(body)
    except PermanentError as error:
        refusal: Code | None = error.code
    else:
        refusal = None
        assert isinstance(understood, dict)
    assert refusal in {None, Code.BAD_REQUEST}


def test_no_body_means_no_parameters() -> None:
    assert parameters_of(b"") == {}
    assert parameters_of(b'{"parameters": {"c": 1.5, "deep": true}}') == {"c": 1.5, "deep": True}


@pytest.mark.parametrize(
    ("data", "run_id"), [({"runId": "r-1"}, "r-1"), ({"runId": ""}, None), ({}, None), ([], None), (None, None)]
)
def test_a_status_event_names_its_run_or_none(data: Any, run_id: str | None) -> None:
    assert run_id_of(event_grid(data)) == run_id


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermanentError("there is none", code=Code.UNKNOWN_PIPELINE), 404),
        (PermanentError("bad", code=Code.BAD_REQUEST), 400),
        (PermanentError("odd", code=Code.MODEL_MISSING), 422),
        (TransientError("tables are down"), 503),
    ],
)
def test_errors_become_problem_documents(error: PermanentError | TransientError, status: int) -> None:
    response = problem_of(error)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert json.loads(response.get_body())["detail"] == str(error)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"admission": {"start": True, "run_id": "r-1", "reason": "new"}}, 202),
        ({"admission": {"start": False, "run_id": "r-1", "reason": "unchanged"}}, 200),
        ({"admission": {"start": False, "run_id": None, "reason": "no data"}}, 409),
        ({"rejected": "bad_pipeline", "reason": "broken"}, 409),
        ({"failed": "tables are down"}, 503),
        ({}, 503),
    ],
)
def test_an_admission_becomes_the_right_status(said: dict[str, Any], status: int) -> None:
    response = admission_answer(said)

    assert response.status_code == status
    assert ("Location" in response.headers) == (status in {200, 202})


def test_an_activity_speaks_plain_json_and_turns_permanent_errors_into_replies() -> None:
    def found(query: ChampionQuery, _: Services) -> Champion:
        return Champion(pipeline=query.pipeline, run_id="r-1")

    def refused(query: ChampionQuery, _: Services) -> Champion:
        raise PermanentError(f"no {query.pipeline}", code=Code.UNKNOWN_PIPELINE)

    def broken(query: ChampionQuery, _: Services) -> Champion:
        raise TransientError("try again")

    command = to_wire(ChampionQuery(pipeline="p"))
    assert step(READ_CHAMPION, found, Services())(command)["value"]["run_id"] == "r-1"
    assert step(READ_CHAMPION, refused, Services())(command) == {"rejected": "unknown_pipeline", "reason": "no p"}
    with pytest.raises(TransientError):
        step(READ_CHAMPION, broken, Services())(command)
