"""The gallery of screens, served once for all tests of a worker."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tests.support.browser import Pages
from tests.support.page_gallery import VIEWS, Gallery, gallery
from tests.support.page_server import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

HELD: Final = """
const wait = setTimeout;
window.setTimeout = (work, pause, ...more) => pause < 5000 ? wait(work, pause, ...more)
  : (window.tick = work, window.pause = pause, 0);
"""
"""A script by which a page refreshes itself only when somebody calls ``tick()``, and ``pause`` is how long it waits."""


class Look(Protocol):
    """Opens a view of the gallery by its name; what is to be typed into it is typed and sent."""

    def __call__(self, name: str, **how: Any) -> "Page":
        """The page."""


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with gallery(tmp_path_factory.mktemp("gallery") / "world") as made:
        yield made


@pytest.fixture(scope="session")
def url(shown: Gallery) -> Iterator[str]:
    with served(shown.world) as url:
        yield url


@pytest.fixture
def look(url: str, shown: Gallery, page_of: Pages) -> Look:
    def look(name: str, **how: Any) -> "Page":
        view = VIEWS[name]
        address = url + view.address.format(**shown.names)
        page = page_of(address, before=HELD + view.before, expected={view.status} - {200}, **how)
        for field, text in view.typed.items():
            page.locator(f"form.act [name={field}]").fill(text)
        if view.typed:
            page.locator("form.act[method=post] button[type=submit]").click()
        page.locator(view.waits_for).first.wait_for()
        return page

    return look
