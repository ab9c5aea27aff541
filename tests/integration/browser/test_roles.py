"""Who signs in at the door sees what he may do, and what he may not, with the role that it needs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.simulation.world import World
from tests.support.access import KEYS, ROLES, UNKNOWN_KEY
from tests.support.browser import Pages, axe, tab_through
from tests.support.page_server import served
from tests.support.page_world import page_world

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = "breast-cancer"
DOES = {"reader": None, "operator": "start", "approver": "approve"}


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A run waits for somebody's yes."""
    approval = {"deliver": {"approval": {"hours": 24}}}
    with page_world(tmp_path_factory.mktemp("waiting") / "world", {NAME: approval}) as world:
        world.services.__dict__["access"] = ROLES
        world.deliver([world.upload(NAME, "landing/part-1.csv")])
        for _ in range(30):
            world.advance(timedelta(seconds=30))
        yield world


@pytest.fixture(scope="module")
def run_id(waiting: World) -> str:
    (run,) = waiting.ledger.runs.list_runs([NAME]).items
    return run.run_id


@pytest.fixture(scope="module")
def url(waiting: World, run_id: str) -> Iterator[str]:
    assert run_id
    with served(waiting, key="") as url:
        yield url


@pytest.mark.parametrize("role", DOES)
def test_everybody_sees_what_he_may_do_and_what_the_rest_needs(
    url: str, run_id: str, page_of: Pages, role: str
) -> None:
    page = _signed_in(page_of, url, role)

    for action, label, needed in (("approve", "Approve", "approver"), ("start", "Start a training", "operator")):
        page.goto(f"{url}/ui" if action == "approve" else f"{url}/ui/pipelines/{NAME}")
        link, button = page.get_by_role("link", name=label), page.get_by_role("button", name=label)
        subject = {"run_id": run_id, "target": "hub-vm"} if action == "approve" else {"name": NAME}
        if DOES[role] == action:
            assert link.get_attribute("href") == f"/ui/actions/{action}?{urlencode(subject)}"
            link.click()
            assert not _is_disabled(page)
            assert page.locator("[role=note]").count() == 0
        else:
            assert link.count() == 0
            assert button.is_disabled()
            assert button.locator("xpath=..").inner_text().endswith(f"needs the role {needed}")
            axe(page)
            tab_through(page)
            page.goto(f"{url}/ui/actions/{action}?{urlencode(subject)}")
            assert _is_disabled(page)
            assert f"needs the role {needed}" in page.locator("[role=note]").inner_text()
            axe(page)
        assert not {key for key in KEYS.values() if key in page.content() + page.url}


def test_whoever_has_signed_out_is_at_the_door_again(url: str, page_of: Pages) -> None:
    page = _signed_in(page_of, url, "reader")

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/ui/sign-in")
    page.goto(f"{url}/ui/targets")

    assert page.url == f"{url}/ui/sign-in?next=%2Fui%2Ftargets"


def test_another_key_opens_nothing(url: str, page_of: Pages) -> None:
    page = page_of(f"{url}/ui", expected=[403])
    page.get_by_label("Your key").fill(UNKNOWN_KEY)
    page.get_by_role("button", name="Sign in").click()

    assert "does not open the page" in page.locator("#wrong-key").inner_text()
    assert NAME not in page.content()


def _is_disabled(page: "Page") -> bool:
    """Whether nothing of the form can be used."""
    return bool(page.locator("form.act[method=post] > fieldset").evaluate("each => each.disabled"))


def _signed_in(pages: Pages, url: str, role: str) -> "Page":
    """The first page, for whoever has typed the key of that role at the door."""
    page = pages(f"{url}/ui")
    assert page.url == f"{url}/ui/sign-in?next=%2Fui"
    page.get_by_label("Your key").fill(KEYS[role])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/ui")
    return page
