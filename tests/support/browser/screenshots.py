"""Pictures of a page by day, by night and on a phone, where nothing may have to be scrolled sideways."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tests.support.browser.pages import DESKTOP, NARROW, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

FOLDER: Final = Path(os.environ.get("EDGETRAIN_SCREENS", Path(__file__).resolve().parents[3] / ".local/screens"))
"""Where they are written, and stay."""

_BEYOND: Final = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const beyond = [...document.body.querySelectorAll('*')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && box.right > width + 0.5;
  });
  const name = each => each.tagName.toLowerCase() + (each.id && '#' + each.id)
    + [...each.classList].map(one => '.' + one).join('');
  return beyond.filter(each => !beyond.includes(each.parentElement)).map(each =>
    `${name(each.parentElement)} > ${name(each)}: ${each.textContent.trim().slice(0, 60)}`);
}"""
_FITS_PHONES: Final = """() =>
  (document.querySelector('meta[name=viewport]')?.content ?? '').includes('width=device-width')"""


def screens(page: "Page", name: str, folder: Path = FOLDER) -> list[Path]:
    """Write ``NAME-light.png``, ``-dark.png`` and ``-phone.png``, and see that the page fits; it stays as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    size, was_dark = page.viewport_size, page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    written: list[Path] = []
    views: tuple[tuple[str, ViewportSize, Literal["light", "dark"]], ...] = (
        ("light", DESKTOP, "light"),
        ("dark", DESKTOP, "dark"),
        ("phone", PHONE, "light"),
    )
    for view, wide, scheme in views:
        page.set_viewport_size(wide)
        page.emulate_media(color_scheme=scheme)
        written.append(folder / f"{name}-{view}.png")
        page.screenshot(path=written[-1], full_page=True, animations="disabled")
    page.set_viewport_size(size or DESKTOP)
    page.emulate_media(color_scheme="dark" if was_dark else "light")
    fits_phones(page)
    return written


def fits_phones(page: "Page") -> None:
    """Raise ``AssertionError`` with what lies beyond the edge where a page is 390 or 320 pixels wide."""
    assert page.evaluate(_FITS_PHONES), f"{page.url} has no meta element 'viewport' with width=device-width"
    size = page.viewport_size
    found = {}
    for narrow in (PHONE, NARROW):
        page.set_viewport_size(narrow)
        found[narrow["width"]] = page.evaluate(_BEYOND)
    page.set_viewport_size(size or DESKTOP)
    assert not any(found.values()), f"{page.url} has to be scrolled sideways: {found}"
