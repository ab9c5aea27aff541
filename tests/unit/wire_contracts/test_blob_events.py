from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Code, PermanentError
from shared.messages import Arrival
from shared.values.wire import from_wire, to_wire
from shared.wire_contracts.blob_events import arrival_from
from tests.support.arrivals import a_blob_created, an_arrival
from tests.support.workflow import START


def _arrival(**changes: Any) -> Arrival:
    return arrival_from(a_blob_created(**changes), received_at=START)


def _data(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = a_blob_created()["data"]
    return {name: value for name, value in (data | changes).items() if value is not None}


def test_a_cloud_event_becomes_an_arrival() -> None:
    assert _arrival() == an_arrival(occurred_at=datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC))


def test_the_event_grid_schema_means_the_same() -> None:
    cloud = a_blob_created()
    renamed = {"type": "eventType", "time": "eventTime", "source": "topic"}
    grid = {renamed.get(name, name): value for name, value in cloud.items()}
    assert arrival_from(grid | {"dataVersion": ""}, received_at=START) == _arrival()


def test_a_time_may_be_a_value_already() -> None:
    assert _arrival(time=START + timedelta(hours=1)).occurred_at == START + timedelta(hours=1)
    assert _arrival(time=datetime(2026, 5, 1, 10)).occurred_at == START  # noqa: DTZ001 - some SDKs give naive UTC


def test_names_may_hold_slashes_and_any_letters() -> None:
    subject = "/blobServices/default/containers/c/blobs/a/b c#d?/é\u2028.csv"
    assert _arrival(subject=subject).blob == "a/b c#d?/é\u2028.csv"


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://hub.blob.local.azurestack.external/c/landing/part-1.csv", "hub"),
        ("http://127.0.0.1:10000/hub/c/landing/part-1.csv", "hub"),
        ("http://localhost:10000/hub/c/landing/part-1.csv", "hub"),
    ],
)
def test_the_account_comes_from_the_address_when_no_resource_is_named(url: str, account: str) -> None:
    assert _arrival(source=None, data=_data(url=url)).account == account


def test_what_an_event_may_leave_out() -> None:
    arrival = _arrival(data={})
    assert (arrival.etag, arrival.size, arrival.api) == ("", -1, "")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "Microsoft.Storage.BlobDeleted"}, "type"),
        ({"type": None}, "type"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "x" * 300}, "id"),
        ({"subject": None}, "subject"),
        ({"subject": "/blobServices/default/containers/c"}, "subject"),
        ({"subject": "/blobServices/default/containers/c/blobs/\ud800"}, "subject"),
        ({"time": None}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "0001-01-01T00:00:00+10:00"}, "time"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
        ({"data": _data(contentLength="7")}, "data.contentLength"),
        ({"data": _data(contentLength=-2)}, "data.contentLength"),
        ({"data": _data(contentLength=True)}, "data.contentLength"),
        ({"data": _data(eTag=5)}, "data.eTag"),
        ({"source": None, "data": _data(url=None)}, "data.url"),
        ({"source": None, "data": _data(url="http://[")}, "data.url"),
        ({"source": None, "data": _data(url="nonsense")}, "data.url"),
    ],
)
def test_the_bad_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PermanentError) as refused:
        _arrival(**changes)
    assert refused.value.code is Code.BAD_REQUEST
    assert refused.value.reason.startswith(f"event: {field} ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["id", "type", "source", "subject", "time", "data"])
data_fields = st.sampled_from(["api", "eTag", "contentLength", "url"])


@given(
    st.dictionaries(fields, json_values, max_size=3),
    st.dictionaries(data_fields, json_values, max_size=3),
)
def test_whatever_comes_is_an_arrival_that_can_be_kept_or_a_bad_request(
    changes: dict[str, Any], data: dict[str, Any]
) -> None:
    refusal, arrival = None, None
    try:
        arrival = arrival_from(a_blob_created(data=_data(**data)) | changes, received_at=START)
    except PermanentError as error:
        refusal = error.code
    assert refusal is Code.BAD_REQUEST or (arrival is not None and from_wire(Arrival, to_wire(arrival)) == arrival)
