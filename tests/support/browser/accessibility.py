"""axe-core on a page, as it looks by day and by night."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from local_stack.setup import node

if TYPE_CHECKING:
    from playwright.sync_api import Page

WCAG: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
_FILE: Final = node.FOR_TESTS / "node_modules/axe-core/axe.min.js"
_RUN: Final = """(tags) => axe.run(document, {
  runOnly: {type: 'tag', values: tags}, rules: {'target-size': {enabled: true}}, resultTypes: ['violations'],
})"""
_IS_DARK: Final = "() => matchMedia('(prefers-color-scheme: dark)').matches"


def axe(page: "Page", *, also: Iterable[str] = ()) -> None:
    """Raise ``AssertionError`` with each violation of WCAG 2.2 A and AA: rule, selectors, what is wrong there.

    ``also``: more of axe's tags, such as ``best-practice``. By night too, a page without a background is white for axe.
    """
    if not node.is_current(node.FOR_TESTS):
        node.install(node.FOR_TESTS)
    was_dark = page.evaluate(_IS_DARK)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_FILE.read_text(encoding="utf-8"))
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        result = page.evaluate(_RUN, [*WCAG, *also])
        found += [f"{scheme}: {text}" for violation in result["violations"] for text in _shown(violation)]
    page.emulate_media(color_scheme="dark" if was_dark else "light")
    assert not found, "\n".join([f"axe finds in {page.url}:", *found])


def _shown(violation: dict[str, Any]) -> Iterator[str]:
    for place in violation["nodes"]:
        target = " ".join(each if isinstance(each, str) else json.dumps(each) for each in place["target"])
        reason = " ".join(place["failureSummary"].split())
        yield f"{violation['id']} ({violation['impact']}) at {target}: {reason}\n    {place['html'][:200]}"
