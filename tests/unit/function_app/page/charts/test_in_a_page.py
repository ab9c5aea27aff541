"""Charts with the words of the page, in its templates."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from function_app.page.charts import Chart, canary
from function_app.page.rendering import _environment
from function_app.page.texts import LANGUAGES, Words
from tests.support.chart_gallery import canary as a_canary
from tests.support.chart_gallery import gallery
from tests.support.svg_reading import Picture

NOW = datetime(2026, 11, 29, tzinfo=UTC)


class _Cells(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.begun.append(tag)


def shown(chart: Chart, language: str) -> str:
    words = Words(language, UTC, NOW)
    template = '{% from "parts.html" import chart with context %}{{ chart(each) }}'
    return _environment(language).from_string(template).render(each=chart, w=words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_the_page_are_words_for_charts(language: str) -> None:
    words = Words(language, UTC, NOW)
    for name, chart in gallery(words).items():
        picture = Picture(chart)
        assert picture.title, name
        assert len(chart.svg.encode()) <= 25_000, name


def test_a_dutch_reader_reads_dutch() -> None:
    picture = Picture(canary(a_canary(bad=True), Words("nl", UTC, NOW), "canary"))

    assert {"nieuw model", "vorig model", "vanaf hier gaat het terug"} <= set(picture.legend())


def test_the_picture_stands_beside_its_table() -> None:
    for chart in gallery().values():
        cells = _Cells(shown(chart, "en")).begun
        assert cells.count("svg") == 1
        assert cells.count("tr") == 1 + len(chart.table.rows)
        assert cells.count("td") + cells.count("th") == len(chart.table.columns) * (1 + len(chart.table.rows))
