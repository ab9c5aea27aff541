"""The fixtures ``browser`` and ``page_of``."""

import os
from collections.abc import Iterator

import pytest

from tests.support.browser.launching import Chromium, chromium, missing
from tests.support.browser.pages import Pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """One Chromium for all pages of a worker's tests."""
    if needed := missing():
        reason = f"missing {', '.join(needed)}: run python -m local_stack.setup --tests"
        # What is skipped where all is set up would go unseen.
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with chromium() as running:
        yield running


@pytest.fixture
def page_of(browser: Chromium) -> Iterator[Pages]:
    """Opens pages, each in a new session of the browser; what was wrong with them fails the test at its end."""
    with browser.pages() as pages:
        yield pages
    pages.judge()
