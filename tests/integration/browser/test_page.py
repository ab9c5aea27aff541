"""Every screen in a real browser: no violation of WCAG 2.2 AA, nothing to scroll sideways, pictures of each."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.messages import Backfill, Trouble, TroubleKind, Watch
from tests.simulation.world import World
from tests.support.browser import Pages, axe, screens
from tests.support.hostile_texts import CASES, signs_of_life
from tests.support.page_server import served
from tests.support.page_world import page_world, train

SCREENS = {
    "now": "/ui",
    "run": "/ui/runs/{run}",
    "run-under-way": "/ui/runs/{going}",
    "runs": "/ui/runs",
    "compare": "/ui/compare?left={before}&right={run}",
    "why": "/ui/why",
    "why-of-a-file": "/ui/why?pipeline=breast-cancer&blob=landing/part-1.csv",
    "data": "/ui/pipelines/breast-cancer",
    "data-in-trouble": "/ui/pipelines/quiet",
    "strays": "/ui/strays",
    "models": "/ui/models",
    "model": "/ui/models/breast-cancer",
    "targets": "/ui/targets",
    "start": "/ui/actions/start?name=breast-cancer",
    "cancel": "/ui/actions/cancel?run_id={going}",
    "retire": "/ui/actions/retire?name=breast-cancer",
    "sign-in": "/ui/sign-in",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Runs that have ended, one under way, a pipeline at rest, and one in trouble whose words come from outside."""
    canary = {"strategy": {"steps": [10, 50], "soak_seconds": 60, "least_requests": 20}}
    pipelines: dict[str, dict[str, object]] = {
        "breast-cancer": {"deliver": canary},
        "scans": {},
        "quiet": {"expect": {"every": "day"}},
    }
    with page_world(tmp_path_factory.mktemp("shop") / "world", pipelines) as world:
        for number in (1, 2):
            train(world, "breast-cancer", f"part-{number}.csv")
        world.deliver([world.upload("scans", "landing/part-1.csv")])
        for _ in range(30):
            world.advance(timedelta(seconds=5))
        kinds = list(TroubleKind)
        texts = [case.text[:90] for case in CASES if case.utf8]  # half a character is refused where it comes in
        hostile = (" | ".join(texts[at :: len(kinds)]) for at in range(len(kinds)))
        troubles = [
            Trouble(kind=kind, cause=cause, remedy="upload it again", since=world.clock.now())
            for kind, cause in zip(kinds, hostile, strict=True)
        ]
        world.ledger.troubles.keep("quiet", tuple(troubles))
        before = datetime.now(UTC) - timedelta(days=40)
        world.ledger.expectations.keep("quiet", Watch(since=before, next_at=before, backfill=Backfill(done=True)))
        yield world


@pytest.fixture(scope="module")
def names(shop: World) -> dict[str, str]:
    runs = shop.ledger.runs.list_runs(["breast-cancer"]).items
    (going,) = shop.ledger.runs.list_runs(["scans"]).items
    return {"run": runs[0].run_id, "before": runs[1].run_id, "going": going.run_id}


@pytest.fixture(scope="module")
def url(shop: World, names: dict[str, str]) -> Iterator[str]:
    assert names
    with served(shop) as url:
        yield url


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_can_be_read_by_everybody(url: str, names: dict[str, str], page_of: Pages, screen: str) -> None:
    page = page_of(url + SCREENS[screen].format(**names))

    assert page.locator("h1").count() == 1
    axe(page)
    screens(page, screen)
    assert not signs_of_life(page)


def test_times_are_those_of_the_reader_from_the_first_page_on(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui/models/breast-cancer", zone="America/New_York", language="nl-NL")

    page.wait_for_selector("footer >> text=America/New_York")
    assert page.evaluate("document.documentElement.lang") == "nl"


def test_an_open_page_asks_once_in_five_seconds_and_never_while_it_is_hidden(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui", before="setInterval = (work, pause) => { window.ticks = {work, pause}; };")
    page.wait_for_function("() => window.ticks && window.htmx")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as found:
        page.evaluate("ticks.work()")
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
    page.evaluate("ticks.work()")
    page.evaluate("() => fetch('/ui/assets/icon.svg')")

    assert found.value.status == 204  # nothing has changed
    assert page.evaluate("ticks.pause") >= 5000
    assert [address.rpartition("/")[2] for address in asked] == ["ui", "icon.svg"]


def test_what_a_reader_has_opened_stays_open_when_the_page_is_refreshed(
    url: str, names: dict[str, str], page_of: Pages
) -> None:
    hold = "setInterval = (work, pause) => { window.ticks = {work, pause}; };"
    page = page_of(f"{url}/ui/runs/{names['run']}", before=hold)
    page.wait_for_function("() => window.ticks && window.htmx")
    opened, other = (
        "#live section[aria-labelledby=stages-h] details",
        "#live section[aria-labelledby=delivery-h] details",
    )
    page.locator(f"{opened} summary").press("Enter")
    page.evaluate("document.querySelector('#live h2').dataset.old = 'yes'; live.dataset.seen = 'another'")

    page.evaluate("ticks.work()")
    page.wait_for_function("() => !document.querySelector('#live h2').dataset.old")

    assert page.evaluate(f"document.querySelector('{opened}').open")
    assert not page.evaluate(f"document.querySelector('{other}').open")
    assert page.evaluate(f"document.activeElement === document.querySelector('{opened} summary')")
