from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from function_app.page.charts import Chart, StageBar, StageState, TimeLine, time_line
from function_app.page.charts.frame import WIDTH
from function_app.page.charts.time_line import MOST_STAGES
from tests.support.page_words import EnglishWords
from tests.support.svg_reading import Picture

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BARS = ("c-bar-done", "c-bar-waited", "c-bar-under-way", "c-bar-failed")


def chart_of(*stages: StageBar, **others: Any) -> Chart:
    return time_line(TimeLine(stages=stages, now=NOW, **others), EnglishWords(), "line")


def a_stage(label: str, state: StageState, began: int | None, ended: int | None = None) -> StageBar:
    """Minutes before now."""
    at = [None if each is None else NOW - timedelta(minutes=each) for each in (began, ended)]
    return StageBar(label=label, state=state, began=at[0], ended=at[1], duration="1 min" if began else "")


def across(picture: Picture, kind: str) -> list[tuple[float, float]]:
    """From where to where bars of this kind go."""
    numbers = []
    for bar in picture.of(kind):
        path = bar.get("d") or ""
        xs = [float(part.split(" ")[0].rstrip("VZ").split("V")[0]) for part in path.replace("M", "H").split("H")[1:]]
        numbers.append((min(xs), max(xs)))
    return numbers


def test_a_run_that_has_not_begun_says_so() -> None:
    assert "It has not begun" in Picture(chart_of()).texts()
    assert "It has not begun" in Picture(chart_of(a_stage("Training", StageState.TO_COME, None))).texts()


def test_bars_are_as_long_as_their_stages() -> None:
    picture = Picture(
        chart_of(
            a_stage("Waiting", StageState.WAITED, 100, 75),
            a_stage("Training", StageState.DONE, 75, 25),
            a_stage("Rolling out", StageState.UNDER_WAY, 25),
        )
    )

    assert across(picture, "c-bar-waited") == [(0, 90)]
    assert across(picture, "c-bar-done") == [(90, 270)]
    assert across(picture, "c-bar-under-way") == [(270, WIDTH)]


def test_the_stage_under_way_is_open_and_the_others_are_closed() -> None:
    picture = Picture(chart_of(a_stage("a", StageState.DONE, 9, 5), a_stage("b", StageState.UNDER_WAY, 5)))

    assert not (picture.of("c-bar-under-way")[0].get("d") or "").endswith("Z")
    assert (picture.of("c-bar-done")[0].get("d") or "").endswith("Z")
    assert len(picture.of("c-open")) == 1


def test_states_are_told_apart_by_sign_and_filling() -> None:
    states = tuple(StageState)
    picture = Picture(
        chart_of(*(a_stage(state, state, None if state is StageState.TO_COME else 9, 5) for state in states))
    )

    signs = [picture.of(f"c-sign-{state.value.replace('_', '-')}")[0] for state in states]
    assert len({(sign.tag, sign.get("d")) for sign in signs}) == len(states)
    assert [picture.of(kind)[0].get("fill") for kind in BARS] == [
        None,
        "url(#c-line-hatch)",
        "none",
        "url(#c-line-hatch)",
    ]
    assert picture.legend() == ["done", "waited", "under way", "ended here", "to come"]


@pytest.mark.parametrize(("began", "ended"), [(0, 0), (-5, 0), (5, 9), (10**8, 0)])
def test_stages_of_no_time_of_the_future_and_backwards_are_seen(began: int, ended: int) -> None:
    picture = Picture(chart_of(a_stage("a", StageState.DONE, began, ended), a_stage("b", StageState.DONE, 0, 0)))

    bars = across(picture, "c-bar-done")
    assert len(bars) == 2
    assert all(0 <= start < end <= WIDTH for start, end in bars)


def test_only_so_many_stages_are_shown() -> None:
    chart = chart_of(*(a_stage(str(number), StageState.DONE, 9, 5) for number in range(60)))

    assert len(Picture(chart).of("c-bar-done")) == len(chart.table.rows) == MOST_STAGES


def test_the_table_and_the_description_say_the_same() -> None:
    chart = chart_of(a_stage("Training", StageState.DONE, 9, 5), a_stage("Recording", StageState.TO_COME, None))

    assert [row.cells for row in chart.table.rows] == [("Training", "done", "1 min"), ("Recording", "to come", "")]
    assert Picture(chart).description == "Training: done, 1 min."
