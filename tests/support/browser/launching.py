"""Chromium, started in a way that it asks nobody for anything, and ended with all that it has begun."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local_stack.setup import node, packages
from tests.support.browser.pages import Pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# With those that Playwright adds: background networking, updates of components, sync and the first run are off. We do
# not count on that; without them Chromium asks Google's hosts at every start.
_ARGUMENTS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
    "--no-first-run",
    "--force-color-profile=srgb",
    # Whatever asks for another host all the same gets no answer, not even from a proxy.
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@dataclass(frozen=True, slots=True)
class Chromium:
    """A running browser."""

    browser: "Browser"
    _loop: asyncio.AbstractEventLoop

    @contextmanager
    def pages(self) -> Iterator[Pages]:
        """Open pages in this block; they are closed at its end. Outside of it the thread is free for asyncio.

        Playwright has the thread's event loop look as if it ran all the time, so that nothing else could run one.
        """
        asyncio._set_running_loop(self._loop)
        pages = Pages(self.browser)
        try:
            yield pages
        finally:
            try:
                pages.close()
            finally:
                asyncio._set_running_loop(None)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser with a profile and a home of its own, both gone at the end."""
    from playwright.sync_api import sync_playwright  # of no use to most tests, and slow to import

    with (
        tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home,
        sync_playwright() as driver,
    ):
        loop = asyncio.get_running_loop()
        browser = driver.chromium.launch(
            executable_path=shutil.which(packages.CHROMIUM),
            args=list(_ARGUMENTS),
            # Root has no sandbox, and in many containers nobody has; what is opened are pages of our own.
            chromium_sandbox=False,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "LANG": "C.UTF-8"},
        )
        asyncio._set_running_loop(None)
        try:
            yield Chromium(browser, loop)
        finally:
            asyncio._set_running_loop(loop)
            browser.close()


def missing() -> list[str]:
    """What is to be installed before a browser can be started; axe is installed when it is first asked for."""
    wanted = packages.missing(root=True, docker=False, packages=packages.FOR_TESTS)
    return [package.name for package in wanted] + ([] if node.has_npm() else ["Node.js and npm"])
