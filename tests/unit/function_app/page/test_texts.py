"""What the page says: every sentence in every language, numbers with units, times in the reader's zone."""

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from function_app.api.hub_threads import LateError, Other
from function_app.page.late import try_again
from function_app.page.later import _
from function_app.page.rendering import TEMPLATES
from function_app.page.texts import LANGUAGES, Words, language_of, words_for, zone_of
from shared.errors import TransientError
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
    assert ENGLISH.span(605 * 60) == "10 hours"
    assert (DUTCH.span(4 * 7 * 86400), DUTCH.span(60)) == ("4 weken", "1 minuut")
    assert ">3 minutes ago<" in ENGLISH.ago(NOW - timedelta(minutes=3))
    assert ">over 2 dagen<" in DUTCH.ago(NOW + timedelta(days=2))


_TITLE = re.compile(r' title="[^"]*"')


def seen_and_heard(html: str) -> tuple[str, str]:
    """What the page shows without a mouse, and what it reads aloud."""
    bare = _TITLE.sub("", html)
    hidden = re.compile(r'<span class="unseen">.*?</span>')
    return _TAG.sub("", hidden.sub("", bare)), _TAG.sub("", bare)


def test_no_time_is_in_a_title_alone() -> None:
    winter, summer = datetime(2026, 11, 28, 23, 30, tzinfo=UTC), datetime(2026, 7, 1, 21, 30, tzinfo=UTC)

    assert seen_and_heard(DUTCH.when(winter)) == ("29 nov, 00:30", "29 nov, 00:30 (28 nov 23:30 UTC)")
    assert "21:30 UTC" in seen_and_heard(DUTCH.when(summer))[0], "the offset of now does not tell it"
    assert seen_and_heard(DUTCH.ago(NOW - timedelta(minutes=3)))[0] == "3 minuten geleden (12:57)"
    assert "11:57 UTC" in seen_and_heard(DUTCH.ago(NOW - timedelta(minutes=3)))[1]
    assert "28 nov, 12:00" in seen_and_heard(DUTCH.ago(NOW - timedelta(hours=25)))[0]


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("Europe/Amsterdam", "UTC+1"),
        ("Asia/Kolkata", "UTC+5:30"),
        ("America/St_Johns", "UTC\N{MINUS SIGN}3:30"),
        ("", "UTC"),
    ],
)
def test_the_readers_clock_is_told_from_utc(zone: str, offset: str) -> None:
    assert words_for("en", zone, NOW).offset == offset


_NUMBER = r"(?:[0-9]+|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|a|an|half an)"
_SPAN = re.compile(rf"\b{_NUMBER} (?:second|minute|hour|day|week|month|year)s?\b")
_NO_LIMIT = {"Too many wrong keys came from here. Wait a minute."}


def test_spans_in_sentences_come_from_where_they_are_decided() -> None:
    said = {text for each in extracted() if each.id for text in ([each.id] if isinstance(each.id, str) else each.id)}

    assert {text for text in said if _SPAN.search(text)} - _NO_LIMIT == set()


PAGE = TEMPLATES.parent
_REFUSALS = {"RefusedError", "BadFieldError", "Wrong"}


@pytest.mark.parametrize("file", sorted(PAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PAGE)))
def test_every_refusal_of_the_page_is_for_the_catalogues(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    refusals = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) in _REFUSALS]
    said = [part for call in refusals for part in _sentence_of(call)]

    assert not [ast.unparse(part) for part in said if isinstance(part, ast.Constant | ast.JoinedStr | ast.BinOp)]


def _sentence_of(call: ast.Call) -> list[ast.expr]:
    """The argument that people read."""
    place = {"RefusedError": 2, "BadFieldError": 0}.get(_name(call.func), len(call.args))
    return [
        *call.args[place : place + 1],
        *(each.value for each in call.keywords if each.arg in {"reason", "sentence"}),
    ]


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def test_a_sentence_with_values_is_said_in_the_readers_language() -> None:
    sentence = _("There is no model %(name)s. The screen Models shows them all.", name="x %s")

    assert sentence == "There is no model x %s. The screen Models shows them all."
    assert DUTCH.said(sentence).startswith("Er is geen model x %s.")
    assert (DUTCH.knows(sentence), DUTCH.knows("the ledger says so")) == (True, False)


@pytest.mark.parametrize("who", Other)
def test_of_whoever_is_late_the_reader_is_told_in_his_language(who: Other) -> None:
    english = try_again(LateError(who, 20.0))

    assert who.value in english[0].lower() + english[1:]
    assert "antwoordde niet binnen 20 s" in DUTCH.said(english)
    assert try_again(TransientError("the table is busy")) == "the table is busy; try again later"
