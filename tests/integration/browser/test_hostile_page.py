"""Whatever comes from outside is text on every screen, and the text that it is."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.browser import Pages, fits_phones
from tests.support.hostile_texts import WATCH_FOR_CALLS, shown_on_the_page, signs_of_life
from tests.support.page_hostile import REFUSED, Hostile, hostile_world
from tests.support.page_hostile_runs import LEAST, TEXTS
from tests.support.page_server import served

SHOWN = "() => [...document.querySelectorAll('bdi.plain')].map(each => each.textContent)"
FILES = "() => [...document.querySelectorAll('a[href*=blob]')].map(each => [each.textContent, each.href])"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with hostile_world(tmp_path_factory.mktemp("hostile") / "world") as made:
        yield made


@pytest.fixture(scope="module")
def url(hostile: Hostile) -> Iterator[str]:
    with served(hostile.world) as url:
        yield url


def test_it_is_text_and_is_there_to_be_read(hostile: Hostile, url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui", before=WATCH_FOR_CALLS, expected=[400])
    lost: dict[str, list[str]] = {}
    alive: dict[str, object] = {}
    for screen, address in hostile.screens.items():
        page.goto(url + address)
        there = set(page.evaluate(SHOWN))
        lost[screen] = [text for text in map(shown_on_the_page, hostile.shown[screen]) if text not in there]
        alive[screen] = signs_of_life(page)
        fits_phones(page)

    assert len(TEXTS) >= LEAST
    assert [screen for screen in hostile.screens if not hostile.shown[screen]] == [REFUSED]
    assert {screen: texts for screen, texts in lost.items() if texts} == {}
    assert {screen: signs for screen, signs in alive.items() if signs} == {}


def test_a_link_leads_to_the_file_that_it_names(hostile: Hostile, url: str, page_of: Pages) -> None:
    links = page_of(url + hostile.screens["data"]).evaluate(FILES)

    asked = {parse_qs(urlsplit(address).query, keep_blank_values=True)["blob"][0]: name for name, address in links}
    assert len(asked) == len(links) == 25
    assert asked == {blob: shown_on_the_page(blob) for blob in asked}
    assert set(asked) <= set(hostile.shown["data"])
