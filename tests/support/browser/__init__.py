"""A real browser for tests of pages: Debian's Chromium, driven by Playwright.

The fixtures are known to every test. ``page_of(address)`` opens a page and fails the test on whatever a person should
not have met: see :mod:`tests.support.browser.watching`. On a page: :func:`axe` (WCAG 2.2 A and AA), :func:`screens`
(pictures of it), :func:`fits_phones` (nothing has to be scrolled sideways), :func:`tab_through` (by keyboard).
"""

from tests.support.browser.accessibility import axe
from tests.support.browser.fixtures import browser, page_of
from tests.support.browser.keyboard import tab_through
from tests.support.browser.launching import Chromium, chromium, missing
from tests.support.browser.pages import DESKTOP, NARROW, PHONE, Pages
from tests.support.browser.screenshots import fits_phones, screens

__all__ = [
    "DESKTOP",
    "NARROW",
    "PHONE",
    "Chromium",
    "Pages",
    "axe",
    "browser",
    "chromium",
    "fits_phones",
    "missing",
    "page_of",
    "screens",
    "tab_through",
]
