"""What holds for all charts: well-formed, small, no script, no style, legible, and safe with any text and number."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page import charts
from function_app.page.charts import Chart, Expectation, StageState, StepState
from function_app.page.charts.frame import FONT, WIDTH
from tests.support.chart_gallery import CSS, gallery
from tests.support.nonsense import TEXTS
from tests.support.page_words import EnglishWords
from tests.support.svg_reading import Picture

LARGEST = 25_000  # bytes
TAGS = {"circle", "defs", "desc", "g", "marker", "path", "pattern", "svg", "text", "title"}
LONG = "a-run-of-the-pipeline-" + "x" * 233
NASTY = (
    *TEXTS,
    "</svg><script>alert(1)</script>",
    '" onload="alert(1)',
    "&amp;&lt;",
    "]]>",
    "\u202etxt.exe",
    "מבחן",
    "%(x)s",
)
NOW = datetime(2026, 11, 29, tzinfo=UTC)

GALLERY = gallery()
YEAR = [NOW.date() - timedelta(days=back) for back in range(53 * 7)]


def largest(name: str) -> dict[str, Chart]:
    """Each chart with names, as large as it becomes."""
    words = EnglishWords()
    runs = [
        charts.MeasuredRun(
            run=name, day=day, value=0.8 + index / 997, low=0.71234, high=0.99876, measured_with=str(index)
        )
        for index, day in enumerate(YEAR[:50])
    ]
    stages = [
        charts.StageBar(label=name, state=StageState.WAITED, began=NOW, ended=NOW, duration=name) for _ in range(30)
    ]
    many = 10**9
    steps = [
        charts.Step(
            weight=99,
            state=StepState.INCONCLUSIVE,
            requests=many,
            errors=many,
            stable_requests=many,
            stable_errors=many,
            evidence=1e6,
        )
    ] * 20
    return {
        "runs": charts.run_metrics(charts.RunMetrics(metric=name, runs=runs, floor=0.123456), words, "runs"),
        "line": charts.time_line(charts.TimeLine(stages=stages, now=NOW, began=name, ends=name), words, "line"),
        "canary": charts.canary(charts.Canary(steps=steps, least_requests=2 * many), words, "canary"),
    }


def _every_fifth(index: int) -> Expectation:
    return Expectation.NONE if index % 5 else Expectation.MISSED


YEARS = {
    "many": [charts.Day(day=day, files=10_000) for day in YEAR],
    "missed": [charts.Day(day=day, expectation=Expectation.MISSED) for day in YEAR],
    "mixed": [
        charts.Day(day=day, files=7**index % 10_000, expectation=_every_fifth(index)) for index, day in enumerate(YEAR)
    ],
}


@pytest.mark.parametrize("days", YEARS.values(), ids=YEARS)
def test_the_largest_calendars_are_small(days: list[charts.Day]) -> None:
    chart = charts.arrivals_calendar(charts.ArrivalsCalendar(days=days), EnglishWords(), "arrivals")

    assert len(chart.svg.encode()) <= LARGEST
    assert len(Picture(chart).tips()) == len(YEAR)


@pytest.mark.parametrize("name", GALLERY)
def test_a_chart_is_an_image_that_says_what_it_shows(name: str) -> None:
    picture = Picture(GALLERY[name])

    ids = [each.get("id") for each in picture.all() if each.get("id")]
    assert picture.root.get("role") == "img"
    assert (picture.root.get("aria-labelledby") or "").split() == ids[:2]
    assert picture.title
    assert picture.description


def test_ids_are_unique_on_a_page_with_many_charts() -> None:
    ids = [each.get("id") for chart in GALLERY.values() for each in Picture(chart).all() if each.get("id")]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", GALLERY)
def test_every_reference_leads_to_something_in_the_same_chart(name: str) -> None:
    picture = Picture(GALLERY[name])

    ids = {each.get("id") for each in picture.all()}
    wanted = {
        id_ for each in picture.all() for value in each.attrib.values() for id_ in re.findall(r"url\(#(.*)\)", value)
    }
    assert wanted <= ids


@pytest.mark.parametrize("name", GALLERY)
def test_a_chart_has_neither_script_nor_style_nor_addresses(name: str) -> None:
    picture = Picture(GALLERY[name])

    attributes = {attribute for each in picture.all() for attribute in each.attrib}
    assert picture.tags() <= TAGS
    assert not {each for each in attributes if each.startswith("on") or each in {"style", "href"}}
    assert "//" not in str(GALLERY[name].svg).replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize("name", GALLERY)
def test_every_class_that_has_a_colour_is_in_the_style_sheet_and_every_rule_is_used(name: str) -> None:
    used = {kind for each in Picture(GALLERY[name]).all() for kind in (each.get("class") or "").split()}

    assert used - {"c-label", "c-legend"} <= _styled()


def test_every_rule_of_the_style_sheet_is_used() -> None:
    used = {
        kind
        for chart in (*GALLERY.values(), *largest("a").values())
        for each in Picture(chart).all()
        for kind in (each.get("class") or "").split()
    }

    assert _styled() <= used


def _styled() -> set[str]:
    return set(re.findall(r"\.((?:c-|chart)[\w-]*)", CSS.read_text()))


def test_text_has_eleven_pixels_on_a_screen_of_320_with_its_margins() -> None:
    sizes = {each.get("font-size") for chart in GALLERY.values() for each in Picture(chart).all()} - {None}

    assert sizes == {str(FONT)}
    assert FONT * (320 - 2 * 16) / WIDTH >= 11


@pytest.mark.parametrize("name", ["a", LONG, "&" * 300, "\U000e0001" * 300, "試" * 300, "מ" * 300])
def test_the_largest_charts_are_small(name: str) -> None:
    sizes = {kind: len(chart.svg.encode()) for kind, chart in largest(name).items()}

    assert all(size <= LARGEST for size in sizes.values()), sizes


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_are_text(name: str) -> None:
    for chart in largest(name).values():
        picture = Picture(chart)
        assert picture.tags() <= TAGS
        assert all(len(each) == 0 for each in [*picture.all("text"), *picture.all("title"), *picture.all("desc")])


@pytest.mark.parametrize("name", NASTY)
def test_a_catalogue_with_markup_is_text_too(name: str) -> None:
    words = EnglishWords(lambda message: f"{message}{name.replace('%', '%%')}")
    shown = charts.canary(charts.Canary(steps=[charts.Step(weight=5, state=StepState.PASSED)]), words, name)

    assert Picture(shown).tags() <= TAGS


NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**400), 10**400))
COUNTS = st.integers(-5, 10**20)
MOMENTS = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))


@st.composite
def any_chart(draw: Callable[..., object]) -> Chart:
    words = EnglishWords()
    name = st.text(max_size=60)
    run = st.builds(
        charts.MeasuredRun,
        run=name,
        day=st.dates(),
        value=NUMBERS,
        low=NUMBERS,
        high=NUMBERS,
        champion=st.booleans(),
        promoted=st.booleans(),
        measured_with=st.sampled_from(["a", "b"]),
    )
    metrics = st.builds(
        charts.RunMetrics, metric=name, runs=st.lists(run, max_size=6), floor=NUMBERS, higher_is_better=st.booleans()
    )
    day = st.builds(charts.Day, day=st.dates(), files=COUNTS, expectation=st.sampled_from(Expectation))
    days = st.builds(charts.ArrivalsCalendar, days=st.lists(day, max_size=6))
    stage = st.builds(
        charts.StageBar, label=name, state=st.sampled_from(StageState), began=MOMENTS, ended=MOMENTS, duration=name
    )
    line = st.builds(
        charts.TimeLine, stages=st.lists(stage, max_size=6), now=MOMENTS.filter(bool), began=name, ends=name
    )
    step = st.builds(
        charts.Step,
        weight=st.floats(0, 100),
        state=st.sampled_from(StepState),
        requests=COUNTS,
        errors=COUNTS,
        stable_requests=COUNTS,
        stable_errors=COUNTS,
        evidence=NUMBERS,
    )
    going = st.builds(
        charts.Canary, steps=st.lists(step, max_size=6), least_requests=COUNTS, limit=st.floats(1.01, 1e300)
    )
    key = draw(name)
    match draw(st.one_of(metrics, days, line, going)):
        case charts.RunMetrics() as shown:
            return charts.run_metrics(shown, words, str(key))
        case charts.ArrivalsCalendar() as shown:
            return charts.arrivals_calendar(shown, words, str(key))
        case charts.TimeLine() as shown:
            return charts.time_line(shown, words, str(key))
        case charts.Canary() as shown:
            return charts.canary(shown, words, str(key))
    raise AssertionError


@given(any_chart())
def test_any_input_is_well_formed_and_holds_nothing_unescaped(chart: Chart) -> None:
    picture = Picture(chart)

    assert picture.tags() <= TAGS
    assert all(each.isprintable() or each in "\u2068\u2069" for each in str(chart.svg))
    assert len(chart.svg.encode()) <= LARGEST
    assert all(len(row.cells) == len(chart.table.columns) for row in chart.table.rows)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_the_contrast_that_wcag_asks_for(dark: bool) -> None:
    found = _colours(dark=dark)

    paper = found.pop("paper")
    text = [_contrast(found[name], paper) for name in ("ink", "quiet", "bad")]
    assert min(text) >= 4.5
    del found["rule"]  # behind everything, and nothing is read from it alone
    marks = {name: _contrast(colour, paper) for name, colour in found.items()}
    assert min(marks.values()) >= 3, marks


@pytest.mark.parametrize("dark", [False, True])
def test_more_files_stand_out_more(dark: bool) -> None:
    found = _colours(dark=dark)

    steps = [_contrast(found[f"step-{step}"], found["paper"]) for step in range(1, 6)]
    assert all(later > 1.15 * earlier for earlier, later in pairwise(steps))


def _colours(*, dark: bool) -> dict[str, str]:
    light, other, *_ = CSS.read_text().split("@media")
    return dict(re.findall(r"--chart-([\w-]+): (#\w{6});", other if dark else light))


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
