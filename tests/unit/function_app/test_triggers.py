"""The pure parts of the triggers, without a host."""

import json
from typing import Any

import pytest

from function_app.activity_wiring import activity_function
from function_app.composition import Services
from function_app.triggers.training_status import is_under_way, run_id_of
from shared.contracts import READ_CHAMPION
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Arrival, Champion, ChampionQuery
from shared.values.wire import to_wire
from shared.wire_contracts.blob_events import arrival_from
from shared.wire_contracts.event_text import payload_of
from tests.support.workflow import START

DATA = {"api": "PutBlob", "eTag": '"0x1"', "contentLength": 7, "url": "https://factory.blob.local/c/landing/a.csv"}
SUBJECT = "/blobServices/default/containers/c/blobs/landing/a.csv"
KIND = "Microsoft.Storage.BlobCreated"


def event_grid(**changes: Any) -> dict[str, Any]:
    sent = {"id": "1", "topic": "", "subject": SUBJECT, "eventType": KIND, "eventTime": "2026-05-01T10:00:00Z"}
    return {**sent, "data": DATA, "dataVersion": "", "metadataVersion": "1", **changes}


def cloud(**changes: Any) -> dict[str, Any]:
    sent = {"id": "1", "source": "", "subject": SUBJECT, "type": KIND, "time": "2026-05-01T10:00:00Z"}
    return {**sent, "specversion": "1.0", "data": DATA, **changes}


def arrival_of(event: dict[str, Any]) -> Arrival:
    return arrival_from(payload_of(json.dumps(event)), received_at=START)


def test_both_schemas_become_the_same_arrival() -> None:
    arrivals = [arrival_of(event_grid()), arrival_of(cloud())]

    assert arrivals[0] == arrivals[1]
    assert (arrivals[0].account, arrivals[0].blob, arrivals[0].etag) == ("factory", "landing/a.csv", "0x1")


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01T04:30:00-05:30", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01t10:00:00z", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01T10:00:00.9584103Z", "2026-05-01T10:00:00.958410+00:00"),
        ("2026-05-01T10:00:00.5-00:00", "2026-05-01T10:00:00.500000+00:00"),
        ("2026-05-01T10:00:00", "2026-05-01T10:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00"),
        ("2017-01-01T01:59:60.25+02:00", "2016-12-31T23:59:59.250000+00:00"),
    ],
)
def test_a_time_in_any_form_of_rfc_3339_is_made_utc(time: str, moment: str) -> None:
    for event in (event_grid(eventTime=time), cloud(time=time)):
        assert arrival_of(event).occurred_at.isoformat() == moment


@pytest.mark.parametrize("time", ["2026-05-01T12:00:00+25:00", "2026-02-30T10:00:00Z", "0001-01-01T00:00:00+01:00"])
def test_a_time_that_does_not_exist_is_named(time: str) -> None:
    with pytest.raises(PermanentError, match="event: time is no time that exists"):
        arrival_of(event_grid(eventTime=time))


@pytest.mark.parametrize(
    "time", ["yesterday", "1714557600", "2026-05-01T10:00:00 Z", "\u0662026-05-01T10:00:00Z", "x" * 9999]
)
def test_what_is_no_time_is_named(time: str) -> None:
    with pytest.raises(PermanentError, match="event: time must be a time as in RFC 3339"):
        arrival_of(event_grid(eventTime=time))


@pytest.mark.parametrize("time", [None, 7, 1.5, [], {}, True])
def test_a_time_of_another_kind_is_named(time: Any) -> None:
    with pytest.raises(PermanentError, match="event: time is missing"):
        arrival_of(event_grid(eventTime=time))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("[]", "must be an object"),
        ("7", "must be an object"),
        ('{"id": "1", "id": "2"}', "the field id stands in it twice"),
        ('{"data": {"contentLength": NaN}}', "data.contentLength must be a finite number"),
        ('{"subject": "\\ud800"}', "subject holds half a character"),
    ],
)
def test_what_is_no_event_is_refused_with_its_fault(text: str, says: str) -> None:
    with pytest.raises(PermanentError, match=says):
        payload_of(text)


@pytest.mark.parametrize(
    ("data", "run_id"),
    [
        ({"runId": "r-1"}, "r-1"),
        ({"RunId": "r-1"}, "r-1"),
        ({"runId": ""}, None),
        ({"runId": 7}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_status_event_names_its_run_or_none(data: Any, run_id: str | None) -> None:
    assert run_id_of(payload_of(json.dumps(event_grid(data=data)))) == run_id


@pytest.mark.parametrize(
    ("data", "under_way"),
    [
        ({"RunStatus": "Running"}, True),
        ({"runStatus": "finalizing"}, True),
        ({"RunStatus": "failed"}, False),
        ({"RunStatus": "a new one"}, False),  # the check finds out
        ({}, False),  # a completed run has none
        (None, False),
    ],
)
def test_only_the_end_of_a_training_is_worth_a_check(data: Any, under_way: bool) -> None:
    assert is_under_way(payload_of(json.dumps(event_grid(data=data)))) is under_way


def test_an_activity_speaks_plain_json_and_turns_permanent_errors_into_replies() -> None:
    def found(query: ChampionQuery, _: Services) -> Champion:
        return Champion(pipeline=query.pipeline, run_id="r-1")

    def refused(query: ChampionQuery, _: Services) -> Champion:
        raise PermanentError(f"no {query.pipeline}", code=Code.UNKNOWN_PIPELINE)

    def broken(query: ChampionQuery, _: Services) -> Champion:
        raise TransientError("try again")

    command = to_wire(ChampionQuery(pipeline="p"))
    assert activity_function(READ_CHAMPION, found, Services())(command)["value"]["run_id"] == "r-1"
    assert activity_function(READ_CHAMPION, refused, Services())(command) == {
        "rejected": "unknown_pipeline",
        "reason": "no p",
    }
    with pytest.raises(TransientError):
        activity_function(READ_CHAMPION, broken, Services())(command)
