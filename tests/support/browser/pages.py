"""Pages of one test: opened as a person would have them, and watched."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.support.browser.watching import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, StorageState, ViewportSize

DESKTOP: Final["ViewportSize"] = {"width": 1280, "height": 800}
PHONE: Final["ViewportSize"] = {"width": 390, "height": 844}
NARROW: Final["ViewportSize"] = {"width": 320, "height": 640}
"""As narrow as a page must still be read without scrolling sideways: WCAG 2.2, 1.4.10."""

_PATIENCE: Final = 120_000
"""Milliseconds; a page that comes at all comes in one second, but not where machines are busy."""


class Pages:
    """Opens pages: ``pages(address)``."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser
        self._watches: list[Watch] = []
        self._close: list[Any] = []

    def __call__(
        self,
        address: str,
        *,
        size: "ViewportSize" = DESKTOP,
        dark: bool = False,
        scripts: bool = True,
        language: str = "en-GB",
        zone: str = "Europe/Amsterdam",
        headers: Mapping[str, str] | None = None,
        session: "StorageState | None" = None,
        before: str = "",
        expected: Iterable[int] = (),
    ) -> "Page":
        """The page at an address, loaded, with cookies of its own; ``page.context.new_page()`` opens one beside it.

        ``session``: cookies of another page, by its ``context.storage_state()``. ``before``: a script that runs in each
        page before its own. ``expected``: HTTP statuses that are no fault here.
        """
        context = self._browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
            locale=language,
            timezone_id=zone,
            extra_http_headers=dict(headers or {}),
            service_workers="block",
            storage_state=session,
        )
        context.set_default_timeout(_PATIENCE)
        self._close.append(context)
        watch = Watch(address, frozenset(expected))
        self._watches.append(watch)
        watch.follow(context)
        if before:
            context.add_init_script(before)
        page = context.new_page()
        page.goto(address)
        return page

    @property
    def faults(self) -> list[str]:
        """What was wrong so far, in sentences."""
        return [fault for watch in self._watches for fault in watch.found()]

    def close(self) -> None:
        """Close all pages; what they were still saying is heard."""
        while self._close:
            self._close.pop().close()

    def judge(self) -> None:
        """Raise ``AssertionError`` when anything was wrong."""
        assert not (faults := self.faults), "\n".join(["what a page must not do:", *faults])
