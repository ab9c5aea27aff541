"""The pure parts of the triggers, without a host."""

from typing import Any

import azure.functions as func
import pytest

from function_app.services import Services
from function_app.steps import step
from function_app.triggers.data_arrival import payload_of
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
    ("data", "run_id"), [({"runId": "r-1"}, "r-1"), ({"runId": ""}, None), ({}, None), ([], None), (None, None)]
)
def test_a_status_event_names_its_run_or_none(data: Any, run_id: str | None) -> None:
    assert run_id_of(event_grid(data)) == run_id


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
