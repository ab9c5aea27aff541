from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import messages
from shared.contracts import ACTIVITIES
from shared.messages import Arrival, PlannedRelease, RunRequest, ServingPlan, Snapshot, TrainingPoll
from shared.values.wire import from_text, from_wire, to_line, to_text, to_wire
from tests.support.builders import a_run_request, a_training_poll
from tests.support.examples import examples

MESSAGES = [kind for kind in vars(messages).values() if isinstance(kind, type) and is_dataclass(kind)]

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


RUN_REQUESTS = st.builds(RunRequest, run_id=st.from_regex(messages.RUN_ID, fullmatch=True).map(str.strip).filter(bool))
st.register_type_strategy(RunRequest, RUN_REQUESTS)  # run ids keep to their pattern


@st.composite
def serving_plans(draw: st.DrawFn) -> ServingPlan:
    """Plans whose weights sum to 100, or to 0, over releases of different runs."""
    share = draw(st.integers(0, 100))
    weights = draw(st.sampled_from([(), (0,), (100,), (share, 100 - share), (0, 0)]))
    runs = draw(st.lists(st.text(), min_size=len(weights), max_size=len(weights), unique=True))
    releases = [
        draw(st.builds(PlannedRelease, run_id=st.just(run_id), weight=st.just(weight)))
        for run_id, weight in zip(runs, weights, strict=True)
    ]
    return draw(st.builds(ServingPlan, releases=st.just(tuple(releases))))


st.register_type_strategy(PlannedRelease, st.builds(PlannedRelease, weight=st.integers(0, 100)))
st.register_type_strategy(ServingPlan, serving_plans())


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@examples(15)
def test_every_message_survives_the_wire(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(st.from_type(kind))

    assert from_wire(kind, to_wire(message)) == message


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default() -> None:
    wire = to_wire(a_training_poll())
    wire["added_next_year"] = 1
    del wire["rounds"]

    assert from_wire(TrainingPoll, wire) == a_training_poll()


def test_a_bad_value_names_its_field() -> None:
    wire = to_wire(a_run_request())
    wire["snapshot"]["size"] = "large"

    with pytest.raises(ValueError, match=r"RunRequest: field snapshot\.size"):
        from_wire(RunRequest, wire)


def test_a_run_id_that_azure_ml_would_refuse_is_refused_here() -> None:
    wire = to_wire(a_run_request())
    wire["run_id"] = "no spaces"

    with pytest.raises(ValueError, match="run_id"):
        from_wire(RunRequest, wire)


def test_text_is_canonical() -> None:
    snapshot = Snapshot(site="s", container="c", manifest="m", digest="d", blobs=1, size=2, listing="l")

    assert to_text(snapshot) == (
        '{"blobs":1,"container":"c","content":"","digest":"d","holdout":"","left_out":[],"listing":"l","manifest":"m","newest":null,'
        '"seen":"","site":"s","size":2,"taken_at":null}'
    )


def test_times_travel_in_utc() -> None:
    tokyo = datetime(2026, 5, 1, 19, 0, tzinfo=timezone(timedelta(hours=9)))
    arrival = Arrival(
        event_id="1", account="a", container="c", blob="b", etag="e", size=1, occurred_at=tokyo, received_at=tokyo
    )

    assert from_wire(Arrival, to_wire(arrival)).occurred_at == tokyo


def test_every_activity_has_a_name_of_its_own_and_messages_of_ours() -> None:
    assert len({activity.name for activity in ACTIVITIES}) == len(ACTIVITIES)
    for activity in ACTIVITIES:
        assert activity.accepts in MESSAGES
        assert activity.returns in MESSAGES


@given(text=st.text())
def test_a_line_is_one_line_and_reads_back(text: str) -> None:
    reason = text.encode("utf-8", "replace").decode()
    verdict = messages.WindowVerdict(window_id="w", pipeline="p", verdict=messages.Verdict.TRAINED, reason=reason)

    assert "\n" not in to_line(verdict)
    assert from_text(messages.WindowVerdict, to_line(verdict)) == verdict
