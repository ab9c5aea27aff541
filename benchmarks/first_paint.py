"""When a browser first paints the page on a running stack, against the bare route that only says that the app is up.

Both by the same host and the same Chromium: what the first screen costs a reader beyond what any answer of the host
does. The script that knows the reader's zone has run before, as for whoever has been there once.
"""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.report import Row
from local_stack.page_link import page_lines
from local_stack.supervisor import Stack
from tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
TIMES: Final = 15
WARM_UP: Final = 3
_PAINTED: Final = """() => new Promise(resolve => {
  const there = performance.getEntriesByName('first-contentful-paint');
  if (there.length) { resolve(there[0].startTime); return; }
  new PerformanceObserver((list, observer) => {
    const found = list.getEntriesByName('first-contentful-paint');
    if (found.length) { observer.disconnect(); resolve(found[0].startTime); }
  }).observe({type: 'paint', buffered: true});
})"""


def run() -> list[Row]:
    """The first screen against ``GET /api/health``, each loaded anew, in turns."""
    with TemporaryDirectory(prefix="paint-") as folder:
        with (
            Stack.start(Path(folder), cache=ROOT / ".local" / "cache") as stack,
            chromium() as browser,
            browser.pages() as pages,
        ):
            link = page_lines(stack.endpoints)[-1].rpartition(" ")[2]
            page = pages(link)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_selector("h1 >> text=Now")
            url = stack.endpoints["functions_host"]["url"]
            ours, bare = _in_turns(page, f"{url}/ui", f"{url}/api/health")
        Stack.clean(Path(folder))
    return [
        Row(
            what="first paint of the page's first screen in Chromium, against the bare health route",
            ours=f"{ours:.0f} ms",
            baseline=f"{bare:.0f} ms",
            ratio=ours / bare,
            remark=f"median of {TIMES} loads each in turns; the stack's four pipelines, no run yet",
        )
    ]


def _in_turns(page: "Page", ours: str, bare: str) -> tuple[float, float]:
    """Milliseconds from the begin of a navigation to the first paint of content, medians."""
    found: dict[str, list[float]] = {ours: [], bare: []}
    for number in range(WARM_UP + TIMES):
        for address in (ours, bare):
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200, f"{address} answered {answer.status}"
            painted = page.evaluate(_PAINTED)
            if number >= WARM_UP:
                found[address].append(painted)
    return statistics.median(found[ours]), statistics.median(found[bare])
