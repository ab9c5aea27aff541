import math
import re
from datetime import date, timedelta
from typing import Any

import pytest

from function_app.page.charts import Chart, MeasuredRun, RunMetrics, run_metrics
from function_app.page.charts.frame import WIDTH
from tests.support.page_words import EnglishWords
from tests.support.svg_reading import Picture

WORDS = EnglishWords()


def a_run(number: int, value: float | None, **others: Any) -> MeasuredRun:
    return MeasuredRun(run=f"run-{number}", day=date(2026, 1, 1) + timedelta(days=number), value=value, **others)


def chart_of(*runs: MeasuredRun, **others: Any) -> Chart:
    return run_metrics(RunMetrics(metric="auc", runs=runs, **others), WORDS, "auc")


def test_without_runs_the_chart_says_so() -> None:
    chart = chart_of()

    assert "No runs yet" in Picture(chart).texts()
    assert chart.table.rows == ()


def test_the_champion_the_promoted_and_the_others_have_signs_of_their_own() -> None:
    picture = Picture(
        chart_of(a_run(1, 0.8), a_run(2, 0.85, promoted=True), a_run(3, 0.9, promoted=True, champion=True))
    )

    marks = {kind: picture.parts(kind) for kind in ("c-hollow", "c-promoted", "c-champion")}
    assert [len(found) for found in marks.values()] == [1, 1, 1]
    assert "a4 4" in (marks["c-promoted"][0].get("d") or "")
    assert "a4 4" not in (marks["c-champion"][0].get("d") or "")
    assert picture.of("c-hollow")[0].get("fill") != picture.of("c-promoted")[0].get("fill")
    assert picture.legend() == ["in use now", "once in use", "not taken into use"]
    assert "In use now: 0.9." in picture.description


def test_a_run_without_the_metric_leaves_a_gap_in_the_line() -> None:
    whole = Picture(chart_of(*(a_run(number, 0.8 + number / 100) for number in range(5))))
    parted = Picture(chart_of(*(a_run(number, None if number == 2 else 0.8 + number / 100) for number in range(5))))

    assert _joins(whole) == 4
    assert _joins(parted) == 2
    assert len(parted.parts("c-gap")) == 1
    assert "run-2, 3 Jan: no number" in parted.tips()


def test_numbers_of_other_rows_are_not_joined() -> None:
    runs = [a_run(number, 0.8, measured_with="old" if number < 2 else "new") for number in range(4)]

    picture = Picture(chart_of(*runs))

    assert _joins(picture) == 2
    assert len(picture.of("c-change")) == 1
    assert "measured in another way from here" in picture.legend()


def test_intervals_are_drawn_where_there_is_one_and_never_for_half_of_one() -> None:
    picture = Picture(
        chart_of(a_run(1, 0.8, low=0.7, high=0.9), a_run(2, 0.8, low=0.7), a_run(3, 0.8, low=math.nan, high=math.inf))
    )

    assert (picture.of("c-whisker")[0].get("d") or "").count("V") == 1
    assert "run-1, 2 Jan: 0.8 (0.7 to 0.9), not taken into use" in picture.tips()


@pytest.mark.parametrize(
    ("floor", "lines", "label"), [(0.8, 1, "limit 0.8"), (0.1, 0, "limit 0.1 ↓"), (9.0, 0, "limit 9 ↑")]
)
def test_a_floor_is_a_line_and_far_away_only_a_name(floor: float, lines: int, label: str) -> None:
    picture = Picture(chart_of(*(a_run(number, 0.85 + number / 100) for number in range(5)), floor=floor))

    assert len(picture.of("c-floor")) == lines
    assert label in picture.texts()


def test_the_newest_fifty_runs_are_shown() -> None:
    chart = chart_of(*(a_run(number, 0.8) for number in range(70)))

    assert len(Picture(chart).parts("c-hollow")) == 50
    assert [row.key for row in chart.table.rows][::49] == ["run-69", "run-20"]


EXTREMES = (
    [0.9],
    [0.9, 0.9, 0.9],
    [0.0, 0.0],
    [math.nan, math.inf, -math.inf],
    [1.7e308, -1.7e308],
    [5e-324, 1e-300],
    [1e300, 1.0000000000000002e300],
    [10**400, 1],
    [None, None],
)


@pytest.mark.parametrize("values", EXTREMES, ids=str)
@pytest.mark.parametrize("floor", [None, 0.5, math.nan, -1.7e308, 5e-324])
def test_extreme_numbers_stay_on_the_picture(values: list[float | None], floor: float | None) -> None:
    runs = [a_run(number, value, low=value, high=value) for number, value in enumerate(values)]

    chart = chart_of(*runs, floor=floor)

    picture = Picture(chart)
    marks = [each for kind in ("c-gap", "c-hollow") for each in picture.parts(kind)]
    places = [part for each in marks for part in re.findall(r"[\d.-]+", each.get("d") or "")[:2]]
    assert len(places) == 2 * len(values)
    tall = float(picture.root.get("viewBox", "").split()[3])
    assert all(0 <= float(x) <= WIDTH for x in places[::2])
    assert all(0 <= float(y) <= tall for y in places[1::2])
    assert len(chart.table.rows) == len(values)


def test_the_table_has_the_newest_run_first_with_its_number() -> None:
    table = chart_of(a_run(1, None), a_run(2, 0.9, low=0.8, high=0.95, promoted=True, champion=True)).table

    assert table.columns == ("Run", "Day", "auc", "Model")
    assert [row.cells for row in table.rows] == [
        ("run-2", "3 Jan", "0.9 (0.8 to 0.95)", "in use now"),
        ("run-1", "2 Jan", "no number", "not taken into use"),
    ]


def test_whether_more_is_better_is_said() -> None:
    assert "↑ higher is better" in Picture(chart_of(a_run(1, 0.9))).texts()
    assert "↓ lower is better" in Picture(chart_of(a_run(1, 0.9), higher_is_better=False)).texts()


def _joins(picture: Picture) -> int:
    return sum((each.get("d") or "").count("M") for each in picture.of("c-line"))
