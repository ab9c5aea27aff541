"""What every answer of the page has: headers, refreshed parts, errors as pages, files of ours alone."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.addresses import SCREENS
from function_app.page.commands import advice_in
from function_app.page.rendering import ASSETS, asset_digest, plain, render
from function_app.page.screens.passport import _run_of
from function_app.page.serving import asset
from function_app.page.texts import words_for, zone_of
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}}) as world:
        yield world


def test_a_page_may_load_and_send_nothing_elsewhere_and_is_kept_nowhere(shop: World) -> None:
    headers = get(shop, "/ui").headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_an_open_page_gets_its_changing_part_and_nothing_when_nothing_changed(shop: World) -> None:
    first = get(shop, "/ui", **{"HX-Request": "true"})
    again = get(shop, "/ui", **{"HX-Request": "true", "page-seen": first.headers["Page-Seen"]})

    assert "<html" not in html_of(first)
    assert f'data-seen="{first.headers["Page-Seen"]}"' in html_of(get(shop, "/ui"))
    assert (again.status_code, again.get_body()) == (204, b"")


def test_what_goes_wrong_is_a_page_that_says_so_and_shows_no_traceback(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.ledger.troubles, "all", lambda: 1 / 0)

    said = html_of(get(shop, "/ui", **{"Accept-Language": "nl"}), 500)

    assert "incident" in said
    assert "ZeroDivisionError" not in said


def test_every_file_of_ours_is_served_and_kept_by_its_content() -> None:
    for file in ASSETS.iterdir():
        found = asset(file.name, asset_digest(file.name))
        assert (found.status_code, found.get_body()) == (200, file.read_bytes())
        assert "immutable" in found.headers["Cache-Control"]
        assert asset(file.name, "of-another-version").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("encodings", "compressed"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("br, xgzip", False),
        ("", False),
    ],
)
def test_a_file_is_compressed_for_browsers_that_take_it(encodings: str, compressed: bool) -> None:
    for file in ASSETS.iterdir():
        found, plain = asset(file.name, encodings=encodings), asset(file.name)
        assert found.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert (found.headers.get("Content-Encoding") == "gzip") is compressed
        assert (found.headers["ETag"] != plain.headers["ETag"]) is compressed
        body = found.get_body()
        assert (gzip.decompress(body) if compressed else body) == file.read_bytes()


@pytest.mark.parametrize(
    "name", ["../serving.py", "..%2Fserving.py", "", ".", "page.css/..", "serving.py", "a\0.css", "PAGE.CSS"]
)
def test_no_other_file_is_served(name: str) -> None:
    assert asset(name).status_code == 404


def test_what_a_page_loads_is_there_and_is_small(shop: World) -> None:
    html = html_of(get(shop, "/ui"))
    links = [part.split('"')[0] for part in html.split('="/ui/assets/')[1:]]

    loaded = {link.partition("?")[0] for link in links}
    assert loaded == {"icon.svg", "page.css", "charts.css", "htmx.min.js", "page.js"}
    assert len(html) + sum((ASSETS / name).stat().st_size for name in loaded) < 150_000


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(alphabet=st.characters(), max_size=200))
def test_text_from_outside_stays_text_and_turns_nothing(text: str) -> None:
    parser = _Tags()
    parser.feed(plain(text))
    parser.close()

    assert parser.tags == ["bdi"]
    assert all(char.isprintable() or char in "\n\t " or not char.isascii() for char in parser.text)
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u200e\u200f\u061c\u200b\ufeff") & set(parser.text)
    plain(text).encode("utf-8")


def test_the_title_of_a_page_is_text_and_whatever_is_in_it_is_escaped() -> None:
    words = words_for("en", "", datetime.now(UTC))
    view = {"status": 404, "title": "</title><b>&", "detail": "x", "own": True, "seen": "", "told": "", "sign_out": ""}
    html = render("fault", words, view | {"screen": SCREENS[0], "reader": None, "navigation": ()})

    assert "<title>404 &lt;/title&gt;&lt;b&gt;&amp; · edgetrain</title>" in html


def test_names_from_outside_stand_in_a_title_without_elements(shop: World) -> None:
    html = html_of(get(shop, "/ui/models/breast-cancer"))

    assert "<title>Model breast-cancer · edgetrain</title>" in html
    assert '<h1>Model <bdi class="plain">breast-cancer</bdi></h1>' in html


def test_names_of_zones_that_anybody_sends_do_not_fill_the_memory() -> None:
    for number in range(3000):
        zone_of(f"Nowhere/{number}")

    assert zone_of.cache_info().currsize <= 1000
    assert zone_of("x" * 100_000) is UTC


def test_no_command_of_several_lines_is_offered_to_be_copied() -> None:
    assert advice_in("run there: podman info").command == "podman info"
    assert advice_in("run there: podman info\nrm -rf /").command == ""


def test_what_a_passport_says_is_one_word_of_a_command() -> None:
    assert _run_of({"run": {"run_id": "run-1"}}) == "run-1"
    assert _run_of({"run": {"run_id": "x; rm -rf ~"}}) == "'x; rm -rf ~'"
    assert _run_of({"run": "none"}) == _run_of({}) == "RUN"
