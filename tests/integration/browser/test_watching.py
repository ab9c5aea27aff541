"""What is wrong with a page fails the test that opened it; what is well does not."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.browser import Chromium, Pages
from tests.support.browser.watching import weakness
from tests.support.served_pages import POLICY, Sent, document, served_pages


def script(text: str) -> Sent:
    return Sent(body=text.encode(), kind="text/javascript")


GOOD = document("<main><h1>well</h1></main>", '<script src="/good.js"></script>')
ANSWERS = {
    "/good": GOOD,
    "/good.js": script("console.warn('no fault'); document.documentElement.dataset.script = 'ran';"),
    "/console": document("", '<script src="/console.js"></script>'),
    "/console.js": script("console.error('oh no');"),
    "/thrown": document("", '<script src="/thrown.js"></script>'),
    "/thrown.js": script("setTimeout(() => { throw new Error('oh no') });"),
    "/dialog": document("", '<script src="/dialog.js"></script>'),
    "/dialog.js": script("alert('oh no');"),
    "/image": document('<img src="/none.png" alt="">'),
    "/inline": document("<p style='color:red'>x</p>"),
    "/refused": replace(GOOD, status=403),
    "/elsewhere": replace(
        document('<img src="http://elsewhere.example/x.png" alt="">'), policy=f"{POLICY}; img-src elsewhere.example"
    ),
    "/icon": document("", '<link rel="icon" href="/none.ico">'),
    "/bare": replace(GOOD, policy=""),
}
FAULTS = {
    "/good": [],
    "/console": ["oh no"],
    "/thrown": ["oh no"],
    "/dialog": ["alert was opened: oh no"],
    "/image": ["/none.png answered 404"],
    "/inline": ["Content Security Policy"],
    "/refused": ["/refused answered 403"],
    "/elsewhere": ["another host was asked: http://elsewhere.example/x.png", "ERR_NAME_NOT_RESOLVED"],
    "/bare": ["has no content security policy"],
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served_pages(ANSWERS) as address:
        yield address


@pytest.mark.parametrize("path", FAULTS)
def test_what_is_wrong_is_found(site: str, browser: Chromium, path: str) -> None:
    with browser.pages() as pages:
        pages(f"{site}{path}")

    found = pages.faults
    assert len(found) == len(FAULTS[path])
    assert all(part in fault for part, fault in zip(FAULTS[path], found, strict=True))
    if found:
        with pytest.raises(AssertionError, match="a page must not"):
            pages.judge()


def test_an_icon_that_is_not_there_is_found_too(site: str, browser: Chromium) -> None:
    with browser.pages() as pages:
        page = pages(f"{site}/icon")
        with page.context.expect_event("console"):  # nothing on the page waits for it
            pass

    (fault,) = pages.faults
    assert "/none.ico" in fault


def test_a_status_that_is_asked_for_is_no_fault(site: str, page_of: Pages) -> None:
    assert page_of(f"{site}/refused", expected=[403]).inner_text("h1") == "well"


def test_pages_beside_it_are_watched_as_well(site: str, browser: Chromium) -> None:
    with browser.pages() as pages:
        pages(f"{site}/good").context.new_page().goto(f"{site}/console")

    assert len(pages.faults) == 1


def test_a_page_without_scripts_and_one_with_them(site: str, page_of: Pages) -> None:
    ran = 'html[data-script="ran"]'
    assert page_of(f"{site}/good").locator(ran).count() == 1
    assert page_of(f"{site}/good", scripts=False).locator(ran).count() == 0


@pytest.mark.parametrize("number", [1, 2])
def test_between_pages_the_thread_is_free_for_asyncio(site: str, browser: Chromium, number: int) -> None:
    with browser.pages() as pages:
        pages(f"{site}/good")
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


def test_the_profile_lies_in_the_folder_of_the_run(browser: Chromium) -> None:
    assert list(Path(tempfile.gettempdir()).glob("playwright_chromiumdev_profile-*"))


@pytest.mark.parametrize(
    ("policy", "weak"),
    [
        (POLICY, None),
        (POLICY.replace("default-src 'self'", "default-src 'none'; style-src 'sha256-abc='; img-src data:"), None),
        ("", "no content security policy"),
        ("script-src 'self'", "default-src"),
        (POLICY.replace("default-src 'self'", "default-src 'self' https:"), "default-src"),
        (POLICY.replace("; form-action 'self'", ""), "form-action"),
        (f"{POLICY}; script-src 'self' 'unsafe-inline'", "script-src 'unsafe-inline'"),
        (f"{POLICY}; connect-src *", "connect-src \\*"),
    ],
)
def test_a_policy_that_lets_in_too_much_is_weak(policy: str, weak: str | None) -> None:
    found = weakness(policy)

    assert (found is None) == (weak is None)
    assert weak is None or weak.replace("\\", "") in (found or "")
