"""What the page says: every sentence in every language, numbers with units, times in the reader's zone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from function_app.page.rendering import TEMPLATES
from function_app.page.texts import LANGUAGES, Words, language_of, words_for, zone_of
from tests.support.page_texts import catalogue, extracted

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ENGLISH = Words("en", UTC, NOW)
DUTCH = Words("nl", zone_of("Europe/Amsterdam"), NOW)
_FIELD = re.compile(r"%\((\w+)\)")
_WORDS = re.compile(r"[A-Za-z]{2,}")
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_SAID_IN_A_TAG = re.compile(r'(?:aria-label|alt|placeholder|title)="[^"\0]*[A-Za-z]{2,}[^"]*"')
_NAMES = {"edgetrain", "UTC"}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_sentence_is_said_in_every_language(language: str) -> None:
    known = {message.id: message.string for message in catalogue(language) if message.id}
    said = {message.id for message in extracted() if message.id}

    assert said - set(known) == set(), "run: make texts, and translate what it added"
    assert set(known) - said == set(), "nobody says these any more; run: make texts"
    for message, string in known.items():
        forms = string if isinstance(string, tuple) else (string,)
        assert all(forms), f"no translation: {message}"
        one = str(message if isinstance(message, str) else message[-1])
        for form in forms:
            assert set(_FIELD.findall(str(form))) <= set(_FIELD.findall(one)), message


@pytest.mark.parametrize("template", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_no_template_says_a_word_past_the_catalogue(template: object) -> None:
    parsed = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(template.read_text())  # type: ignore[attr-defined]
    # What stands inside of a tag begins in one piece and ends in another where an expression is between them.
    text = "".join(
        "\0" if not isinstance(each, nodes.TemplateData) else each.data for each in parsed.find_all(nodes.Expr)
    )
    bare = _TAG.sub(" ", text)
    assert set(_WORDS.findall(bare)) <= _NAMES, bare
    assert not _SAID_IN_A_TAG.findall(text)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("nl", "nl"),
        ("nl-BE,nl;q=0.9,en;q=0.8", "nl"),
        ("de,nl;q=0.4,en;q=0.2", "nl"),
        ("en;q=0.2, nl;q=0.9", "nl"),
        ("nl;q=0, en", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("nl;q=x", "en"),
        (";;;,,,", "en"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(accept: str, language: str) -> None:
    assert language_of(accept) == language


@given(st.text(max_size=300), st.text(max_size=80))
def test_whatever_a_browser_sends_somebody_is_spoken_to(accept: str, zone: str) -> None:
    words = words_for(accept, zone, NOW)

    assert words.language in LANGUAGES
    assert words.when(NOW)


def test_times_are_those_of_the_reader_and_utc_is_beside() -> None:
    at = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)

    assert ">1 jul, 23:30<" in DUTCH.when(at)
    assert "21:30 UTC" in DUTCH.both(at)
    assert ">1 Jul, 21:30<" in ENGLISH.when(at)
    assert ENGLISH.when(None) == "\N{EN DASH}"


def test_numbers_have_their_units() -> None:
    assert (ENGLISH.size(1), ENGLISH.size(1_500_000), DUTCH.size(-1)) == ("1 byte", "1.4 MB", "\N{EN DASH}")
    assert (ENGLISH.number(1234.5), DUTCH.number(1234.5)) == ("1,234.5", "1.234,5")
    assert ENGLISH.duration(0) == "0 secs"
    assert ENGLISH.duration(3 * 3600 + 59) == "3 hrs"
    assert DUTCH.duration(192.4) == "3 min 12 sec"
    assert ENGLISH.plural("%(number)s file", "%(number)s files", 1) == "1 file"
    assert ENGLISH.plural("%(number)s file", "%(number)s files", 2000) == "2,000 files"


def test_how_long_ago_is_said_in_words() -> None:
    assert ">just now<" in ENGLISH.ago(NOW - timedelta(seconds=3))
    assert ">3 minutes ago<" in ENGLISH.ago(NOW - timedelta(minutes=3))
    assert ">over 2 dagen<" in DUTCH.ago(NOW + timedelta(days=2))
