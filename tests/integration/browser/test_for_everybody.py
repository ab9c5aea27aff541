"""axe, phones and keyboards find what a page lacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.browser import PHONE, Pages, axe, screens, tab_through
from tests.support.served_pages import Sent, document, served_pages

STYLE = """
:root { color-scheme: light dark }
body { background: Canvas }
.pale { color: #444; background: #fff }
@media (prefers-color-scheme: dark) { .pale { background: #333 } }
.wide { width: 350px }
.bare:focus { outline: none }
.head { position: fixed; inset: 0 0 auto 0; height: 100px; background: #fff }
"""
LINK = '<link rel="stylesheet" href="/style.css">'
USABLE = (
    '<main><h1>x</h1><p><a href="/good">again</a></p><button>b</button> <button disabled>c</button>'
    '<input aria-label="d" id="d">'
    '<fieldset><legend>e</legend><label><input type="radio" name="e">1</label>'
    '<label><input type="radio" name="e" id="e" checked>2</label></fieldset>'
    '<details><summary>f</summary><a href="/g">g</a></details><a hidden href="/h">h</a>'
    '<fieldset disabled><legend>i</legend><input aria-label="j"><button>k</button></fieldset></main>'
)
ANSWERS = {
    "/style.css": Sent(body=STYLE.encode(), kind="text/css"),
    "/good": document(USABLE, LINK),
    "/pale": document('<main><h1>x</h1><p class="pale">hard to read by night</p></main>', LINK),
    "/nameless": document('<main><h1>x</h1><input id="nameless"></main>'),
    "/wide": document('<main><h1>x</h1><div class="wide">as wide as a phone</div></main>', LINK),
    "/bare": document('<main><h1>x</h1><a class="bare" id="bare" href="/good">x</a></main>', LINK),
    "/covered": document('<div class="head">x</div><a id="covered" href="/good">x</a>', LINK),
    "/trap": document('<a href="/good">x</a><button id="trap">x</button>', '<script src="/trap.js" defer></script>'),
    "/trap.js": Sent(
        body=b"trap.onkeydown = event => { if (event.key === 'Tab') { event.preventDefault(); next(); } };\n"
        b"let count = 0; function next() { trap.insertAdjacentHTML('beforebegin', `<button>${count++}</button>`);\n"
        b"  trap.previousSibling.onkeydown = trap.onkeydown; trap.previousSibling.focus(); }",
        kind="text/javascript",
    ),
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served_pages(ANSWERS) as address:
        yield address


def test_a_page_for_everybody(site: str, page_of: Pages, tmp_path: Path) -> None:
    page = page_of(f"{site}/good")

    axe(page, also=["best-practice"])
    written = screens(page, "good", tmp_path)
    reached = tab_through(page)

    assert [path.name for path in written] == ["good-light.png", "good-dark.png", "good-phone.png"]
    by_day, by_night, phone = (Image.open(path).convert("RGB") for path in written)
    assert by_day.getpixel((5, 5)) != by_night.getpixel((5, 5))
    assert phone.width == PHONE["width"]
    assert len(reached) == 5
    assert reached[2:4] == ["#d", "#e"]
    assert page.viewport_size == {"width": 1280, "height": 800}


@pytest.mark.parametrize(
    ("path", "said"),
    [("/pale", "dark: color-contrast (serious) at p:"), ("/nameless", "label (critical) at #nameless")],
)
def test_axe_names_rule_and_place(site: str, page_of: Pages, path: str, said: str) -> None:
    with pytest.raises(AssertionError) as raised:
        axe(page_of(f"{site}{path}"))

    assert said in str(raised.value)
    assert "light: color-contrast" not in str(raised.value)


def test_what_lies_beyond_the_edge_of_a_phone_is_named(site: str, page_of: Pages, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"320: \['main > div\.wide"):
        screens(page_of(f"{site}/wide"), "wide", tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/bare", "focus not visible: #bare"),
        ("/covered", "covered: #covered"),
        ("/trap", "does not come to an end"),
    ],
)
def test_what_a_keyboard_cannot_do_is_named(site: str, page_of: Pages, path: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        tab_through(page_of(f"{site}{path}"))
