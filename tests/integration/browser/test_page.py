"""Every screen in a real browser: read by everybody (WCAG 2.2 AA), on phones, by keyboard, and without scripts.

Pictures of each are written on the way.
"""

from typing import TYPE_CHECKING

import pytest

from tests.integration.browser.conftest import Look
from tests.support.browser import Pages, axe, screens, tab_through
from tests.support.page_gallery import VIEWS, Gallery

if TYPE_CHECKING:
    from playwright.sync_api import Page

IN_DUTCH = ("now", "run", "run-that-waits", "compare", "data-in-trouble", "targets", "doctor", "approve-with-a-mistake")
FETCHED = ("doctor",)
"""What they show comes by a script; without one, a link leads there."""
ALWAYS = ("now", "run", "data", "why-of-a-file", "approve-with-a-mistake")
"""Screens that are compared with and without scripts in every run of the tests; the others where there is time."""
READ = r"""() => {
  const main = document.querySelector('main');
  main.querySelectorAll('time').forEach(each => { each.textContent = 'some time'; });
  return {
    text: main.innerText.replace(/incident \w+/, 'incident'),
    headings: [...main.querySelectorAll('h1,h2,h3')].map(each => each.textContent),
    links: [...document.querySelectorAll('a[href]')].map(each => each.getAttribute('href')),
    fields: [...main.querySelectorAll('input:not([type=hidden]),textarea,select,button')].map(each =>
      [each.name, each.disabled, each.labels.length]),
  };
}"""


@pytest.mark.parametrize("screen", VIEWS)
def test_a_screen_can_be_read_and_used_by_everybody(look: Look, screen: str) -> None:
    page = look(screen)

    assert page.locator("h1").count() == 1
    axe(page)
    screens(page, screen)
    assert tab_through(page)


@pytest.mark.parametrize("screen", IN_DUTCH)
def test_it_can_be_read_in_dutch(look: Look, screen: str) -> None:
    page = look(screen, language="nl-NL")

    assert page.evaluate("document.documentElement.lang") == "nl"
    axe(page)


@pytest.mark.parametrize(
    "screen",
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.long) for name in VIEWS if name not in FETCHED],
)
def test_a_screen_says_the_same_without_scripts(look: Look, screen: str) -> None:
    with_them, without = (look(screen, scripts=scripts, zone="UTC").evaluate(READ) for scripts in (True, False))

    assert without == with_them
    assert without["headings"]
    assert without["text"].strip()


def test_what_the_doctor_finds_is_a_link_away_without_scripts(look: Look) -> None:
    found = look("doctor").evaluate(READ)

    page = look("doctor-looks", scripts=False)
    page.locator("#live a").click()

    assert page.evaluate(READ) == found


def test_a_form_is_sent_without_scripts(url: str, shown: Gallery, page_of: Pages) -> None:
    page = page_of(f"{url}/ui/pipelines/spare", scripts=False)
    page.locator("a[href*='/ui/actions/retire']").click()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Why").fill("nobody needs it")
    page.get_by_role("button", name="Retire the pipeline").click()

    page.wait_for_url(f"{url}/ui/actions/done/retire-spare-*")
    assert "nobody needs it" in page.inner_text("main")
    retired = shown.world.ledger.actions.retirement("spare")
    assert retired is not None
    assert retired.by.said == "Ada"


def test_times_are_those_of_the_reader_from_the_first_page_on(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui/models/breast-cancer", zone="America/New_York", language="nl-NL")

    page.wait_for_selector("footer >> text=America/New_York")
    assert page.evaluate("document.documentElement.lang") == "nl"


def test_a_link_into_a_page_is_no_reason_for_other_times(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui/models/breast-cancer#h-versions", zone="America/New_York")

    page.wait_for_selector("footer >> text=America/New_York")
    assert page.url.endswith("#h-versions")


@pytest.mark.parametrize("screen", [name for name, view in VIEWS.items() if view.typed])
def test_what_answers_a_form_is_not_asked_for_at_its_address(look: Look, screen: str) -> None:
    asked: list[tuple[str, str]] = []
    page = look(screen)  # with the cookie that says the zone, which may have changed meanwhile, or be gone
    page.on("request", lambda sent: asked.append((sent.method, sent.url)) if sent.is_navigation_request() else None)
    page.context.clear_cookies()
    for field, text in VIEWS[screen].typed.items():
        page.locator(f"form.act [name={field}]").fill(text)
    page.locator("form.act[method=post] button[type=submit]").click()

    page.wait_for_function("() => document.cookie.includes('zone=')")
    _settle(page)
    assert [method for method, _ in asked] == ["POST"]
    page.locator(VIEWS[screen].waits_for).wait_for()


def test_what_was_done_is_told_also_where_the_zone_is_new(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui")
    page.context.clear_cookies()
    told = {"name": "edgetrain-told", "value": "aXQgaXMgZG9uZQ==", "domain": "127.0.0.1", "path": "/ui"}
    page.context.add_cookies([told])  # type: ignore[list-item]

    page.goto(f"{url}/ui")

    page.wait_for_function("() => document.cookie.includes('zone=')")
    _settle(page)
    assert page.inner_text(".told").endswith("it is done")


def _settle(page: "Page") -> None:
    """Whatever the page's script has begun, such as another look at its address, has come."""
    page.wait_for_load_state("networkidle")
