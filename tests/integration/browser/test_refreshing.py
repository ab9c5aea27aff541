"""An open page: when it asks for its changing part, and that nobody who reads or types on it loses anything then."""

from typing import TYPE_CHECKING, Final

import pytest

from function_app.page.serving import POLICY
from tests.integration.browser.conftest import Look
from tests.support.browser import NARROW

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

CHANGED: Final = "live.dataset.seen = 'another'; document.querySelector('#live').firstElementChild.dataset.old = 'yes'"
"""A script after which the server has something else to show."""
STAGES, DELIVERY = (
    "#live section[aria-labelledby=stages-h] details",
    "#live section[aria-labelledby=delivery-h] details",
)
PLACES = {
    "a link": ("now", "#live a:text-is('Approve')", 0),
    "the last of several links to the same": ("data", "#live section[aria-labelledby=runs] table.stack a.id", 0),
    "a table that scrolls": ("data", "#live section[aria-labelledby=arrivals] .scroll", 0),
    "the summary of what can be opened": ("run", f"{DELIVERY} summary", 0),
}


def test_an_open_page_asks_once_in_five_seconds_and_never_while_it_is_hidden(look: Look) -> None:
    page = look("now")
    page.wait_for_function("() => window.tick && window.htmx")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as found:
        page.evaluate("tick()")
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
    page.evaluate("tick()")
    page.evaluate("() => fetch('/ui/assets/icon.svg')")

    assert found.value.status == 204  # nothing has changed
    assert page.evaluate("pause") >= 5000
    assert [address.rpartition("/")[2] for address in asked] == ["ui", "icon.svg"]


def test_whoever_comes_back_to_a_page_often_has_it_ask_no_more_often(look: Look) -> None:
    page = look("now")
    page.wait_for_function("() => window.tick && window.htmx")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    comes_back = "document.dispatchEvent(new Event('visibilitychange'))"

    page.evaluate("window.loaded = performance.now(); performance.now = () => loaded + moment; window.moment = -1e6")
    page.evaluate(f"{comes_back}; {comes_back}; {comes_back}")
    page.evaluate("window.moment = 5000")
    page.evaluate(f"{comes_back}; {comes_back}; window.moment = 9999; {comes_back}")
    page.evaluate("() => fetch('/ui/assets/icon.svg')")

    assert [address.rpartition("/")[2] for address in asked] == ["ui", "icon.svg"]


def test_what_a_reader_has_opened_stays_open(look: Look) -> None:
    page = look("run")
    page.locator(f"{STAGES} summary").press("Enter")

    _refreshed(page)

    assert page.evaluate(f"document.querySelector('{STAGES}').open")
    assert not page.evaluate(f"document.querySelector('{DELIVERY}').open")
    assert page.evaluate(f"document.activeElement === document.querySelector('{STAGES} summary')")


@pytest.mark.parametrize("place", PLACES)
def test_the_keyboard_stays_where_it_is(look: Look, place: str) -> None:
    screen, selector, number = PLACES[place]
    page = look(screen)
    page.locator(selector).nth(number).focus()
    before = page.evaluate("document.activeElement.outerHTML")

    _refreshed(page)

    assert page.locator(selector).nth(number).evaluate("each => each === document.activeElement")
    assert page.evaluate("document.activeElement.outerHTML") == before
    assert page.locator(selector).nth(number).evaluate("each => getComputedStyle(each).outlineStyle") != "none"


@pytest.mark.parametrize(
    ("answer", "focused"),
    [
        ("<p>new</p><button>Something else</button><button>Go on</button>", "Go on"),
        ("<p>new</p><button name='x'>Go on</button>", None),
        ("<p>new</p>", None),
    ],
)
def test_a_button_is_found_again_by_what_it_says(look: Look, answer: str, focused: str | None) -> None:
    page = look("now")
    page.evaluate("document.querySelector('#live').insertAdjacentHTML('beforeend', '<button>Go on</button>')")
    page.get_by_role("button", name="Go on").focus()

    _refreshed(page, answer)

    if focused is not None:
        assert page.evaluate("document.activeElement.textContent") == focused
    else:  # it is gone: Tab goes on from the content, not from the head of the page
        assert page.evaluate("document.activeElement.id") == "main"


def test_who_is_elsewhere_on_the_page_stays_there(look: Look) -> None:
    page = look("now")
    page.locator(".brand").focus()

    _refreshed(page)

    assert page.evaluate("document.activeElement.className") == "brand"


def test_a_table_stays_scrolled_to_where_it_is(look: Look) -> None:
    page = look("data", size=NARROW)
    page.evaluate(
        "document.adoptedStyleSheets = [new CSSStyleSheet()];"
        "document.adoptedStyleSheets[0].replaceSync('.scroll table { display: block; width: 3000px; }')"
    )
    page.evaluate("document.querySelectorAll('#live .scroll')[1].scrollLeft = 400")

    _refreshed(page)

    assert page.evaluate("[...document.querySelectorAll('#live .scroll')].map(each => each.scrollLeft)")[:2] == [0, 400]


def _refreshed(page: "Page", answer: str | None = None) -> None:
    """The page has asked for its changing part, and something else came; ``answer``: this."""

    def handle(route: "Route") -> None:
        if route.request.headers.get("hx-request") != "true" or answer is None:
            route.continue_()
        else:
            headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
            route.fulfill(status=200, headers=headers, body=answer)

    page.route("**/ui**", handle)
    page.wait_for_function("() => window.tick && window.htmx")
    page.evaluate(CHANGED)
    page.evaluate("tick()")
    page.wait_for_function("() => !document.querySelector('#live [data-old]')")
    page.unroute("**/ui**")
