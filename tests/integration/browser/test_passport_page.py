"""The passport of a version, as a page that people open: it can be read by everybody, and what it shows is text."""

from collections.abc import Iterator

import pytest

from shared.signing.passport_page import POLICY, passport_page
from shared.values.texts import one_line
from tests.support.browser import Pages, axe, fits_phones, screens, tab_through
from tests.support.hostile_texts import CASES, KINDS, WATCH_FOR_CALLS, read_by_a_browser, signs_of_life
from tests.support.served_pages import Sent, served_pages
from tests.unit.signing.test_passports import BUNDLE, DOCUMENT

# A document that was signed is UTF-8.
HOSTILE = {f"case {number:03}": case.text for number, case in enumerate(CASES) if case.utf8}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    hostile = {
        **DOCUMENT,
        "model": CASES[0].text,
        "metrics": HOSTILE,
        "run": {"parameters": {case.text: case.kind for case in CASES[:20] if case.utf8}},
    }
    documents = {"/passport": DOCUMENT, "/hostile": hostile}
    answers = {path: Sent(body=passport_page(each, BUNDLE), policy=POLICY) for path, each in documents.items()}
    with served_pages(answers) as address:
        yield address


def test_everybody_can_read_it(site: str, page_of: Pages) -> None:
    page = page_of(f"{site}/passport")

    assert page.get_by_role("row", name="accuracy").inner_text().split() == ["accuracy", "0.95"]
    axe(page, also=["best-practice"])
    screens(page, "passport")
    assert tab_through(page) == []


def test_whatever_it_shows_is_text(site: str, page_of: Pages) -> None:
    page = page_of(f"{site}/hostile", before=WATCH_FOR_CALLS)

    rows = page.locator("section[aria-labelledby=metrics] tr")
    shown = rows.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
    assert dict(shown) == {name: read_by_a_browser(one_line(text)) for name, text in HOSTILE.items()}
    assert {case.kind for case in CASES} == set(KINDS)
    assert signs_of_life(page) == []
    fits_phones(page)
