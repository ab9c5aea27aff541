from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.arrivals.blob_names import can_be_had
from shared.decisions.arrivals.routing import route
from shared.decisions.arrivals.watched_blobs import selects
from shared.pipelines import Pipeline
from tests.support.arrivals import a_pipeline, an_arrival

ACCOUNTS = {"factory": "hub"}
CANCER = a_pipeline()
DIGITS = a_pipeline("digits", container="digits")


def _names(found: tuple[Pipeline, ...]) -> list[str]:
    return [pipeline.name for pipeline in found]


def test_a_blob_below_the_prefix_that_matches_concerns_its_pipeline() -> None:
    routing = route(an_arrival(), [CANCER, DIGITS], ACCOUNTS)
    assert (_names(routing.pipelines), routing.reason) == (["breast-cancer"], "")


def test_a_blob_may_concern_several_pipelines() -> None:
    second = a_pipeline("second", pattern="part-*")
    assert _names(route(an_arrival(), [CANCER, second], ACCOUNTS).pipelines) == ["breast-cancer", "second"]


def test_another_account_is_outside() -> None:
    routing = route(an_arrival(account="elsewhere"), [CANCER], ACCOUNTS)
    assert routing.pipelines == ()
    assert routing.reason == "outside every pipeline: storage account is elsewhere, pipelines watch hub"


def test_a_site_whose_account_is_not_known_takes_any() -> None:
    assert _names(route(an_arrival(account="elsewhere"), [CANCER], {}).pipelines) == ["breast-cancer"]


def test_another_container_is_outside() -> None:
    routing = route(an_arrival(container="attic"), [CANCER, DIGITS], ACCOUNTS)
    assert routing.reason == "outside every pipeline: container is attic, pipelines watch breast-cancer, digits"


def test_another_prefix_is_outside() -> None:
    routing = route(an_arrival(blob="raw/part-3.csv"), [CANCER, DIGITS], ACCOUNTS)
    assert routing.reason == "outside every pipeline: prefix is raw/, pipelines watch landing/"


def test_a_blob_at_the_top_has_no_prefix() -> None:
    routing = route(an_arrival(blob="part-3.csv"), [CANCER], ACCOUNTS)
    assert routing.reason == "outside every pipeline: prefix is empty, pipelines watch landing/"


def test_another_pattern_is_outside() -> None:
    routing = route(an_arrival(blob="landing/readme.txt"), [CANCER], ACCOUNTS)
    assert routing.reason == "outside every pipeline: landing/readme.txt does not match landing/*.csv"


def test_an_empty_blob_holds_nothing_to_train_on() -> None:
    routing = route(an_arrival(size=0), [CANCER], ACCOUNTS)
    assert routing.pipelines == ()
    assert routing.reason == "landing/part-1.csv is empty (0 bytes), so there is nothing to train on"


def test_an_upload_that_has_only_begun_does_not_count() -> None:
    routing = route(an_arrival(size=0, api="CreateFile"), [CANCER], ACCOUNTS)
    assert routing.pipelines == ()
    assert "still being uploaded (CreateFile)" in routing.reason


def test_an_unknown_size_counts() -> None:
    assert _names(route(an_arrival(size=-1), [CANCER], ACCOUNTS).pipelines) == ["breast-cancer"]


def test_a_new_holdout_concerns_its_pipeline_though_it_is_never_trained_on() -> None:
    holdout = "landing/holdout.csv"
    pipeline = a_pipeline(holdout=holdout)
    assert _names(route(an_arrival(blob="holdout/holdout.csv"), [CANCER], ACCOUNTS).pipelines) == ["breast-cancer"]
    assert _names(route(an_arrival(blob=holdout), [pipeline], ACCOUNTS).pipelines) == ["breast-cancer"]
    assert not selects(pipeline, holdout, 10)


@pytest.mark.parametrize("marker", ["_SUCCESS", "all/done.csv"])
@pytest.mark.parametrize("change", [{}, {"size": 0}, {"size": 0, "api": "CreateFile"}])
def test_the_done_marker_concerns_its_pipeline_and_is_no_data(marker: str, change: dict[str, Any]) -> None:
    pipeline = a_pipeline(settle={"done_marker": marker})
    arrival = an_arrival(blob=f"landing/{marker}", **change)
    assert _names(route(arrival, [pipeline, DIGITS], ACCOUNTS).pipelines) == ["breast-cancer"]
    assert not selects(pipeline, arrival.blob, 10)


def test_a_done_marker_elsewhere_is_none() -> None:
    pipeline = a_pipeline(settle={"done_marker": "_SUCCESS"})
    routing = route(an_arrival(blob="landing/deep/_SUCCESS", size=0), [pipeline], ACCOUNTS)
    assert routing.reason == "outside every pipeline: landing/deep/_SUCCESS does not match landing/*.csv"
    assert not route(an_arrival(blob="landing/_SUCCESS", size=0), [CANCER], ACCOUNTS).pipelines


def test_without_pipelines_everything_is_outside() -> None:
    assert route(an_arrival(), [], ACCOUNTS).reason.startswith("outside every pipeline")


names = st.text("ab/.csv", min_size=1, max_size=8)


@given(
    names,
    st.integers(-1, 2),
    st.sampled_from(["", "a/", "b/"]),
    st.sampled_from(["*", "*.csv", "a*"]),
    st.none() | st.sampled_from(["a", "b.csv"]),
)
def test_events_and_listings_agree(name: str, size: int, prefix: str, pattern: str, marker: str | None) -> None:
    pipeline = a_pipeline(prefix=prefix, pattern=pattern, holdout="none", settle={"done_marker": marker})
    routing = route(an_arrival(blob=name, size=size), [pipeline], ACCOUNTS)
    marked = marker is not None and name == prefix + marker
    assert bool(routing.pipelines) == (can_be_had(name) and (marked or selects(pipeline, name, size)))
    assert bool(routing.pipelines) != bool(routing.reason)
