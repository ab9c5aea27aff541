"""Sessions, tickets and tokens: known again for as long as they last, and nothing else is."""

import base64
import string
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from function_app.sessions import CLOCKS_DIFFER, SESSION_LASTS, TICKET_LASTS, TOKEN_LASTS, Signatures
from tests.support.access import KEYS, digest

SECRET = "s" * 40
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
NAMES = {name: digest(key) for name, key in KEYS.items()}
SIGNS = Signatures(SECRET)
SECOND = timedelta(seconds=1)

Reads = Callable[[str, dict[str, str], datetime], Any]
KINDS = [
    pytest.param(SIGNS.session, SIGNS.session_in, SESSION_LASTS, id="session"),
    pytest.param(SIGNS.ticket, SIGNS.ticket_in, TICKET_LASTS, id="ticket"),
]
moments = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them without a zone
texts = st.text(max_size=60)


@pytest.mark.parametrize(("write", "read", "lasts"), KINDS)
def test_it_is_known_again_until_it_ends(write: Any, read: Reads, lasts: timedelta) -> None:
    text = write("reader", NAMES, NOW)

    for later in (timedelta(0), lasts - SECOND, -CLOCKS_DIFFER):
        found = read(text, NAMES, NOW + later)
        assert (found.key, found.since) == ("reader", NOW)
    for never in (lasts, timedelta(days=400), -CLOCKS_DIFFER - SECOND):
        assert read(text, NAMES, NOW + never) is None


@pytest.mark.parametrize(("write", "read", "lasts"), KINDS)
def test_it_ends_with_its_key_and_with_the_secret(write: Any, read: Reads, lasts: timedelta) -> None:
    text = write("reader", NAMES, NOW)

    assert read(text, {}, NOW) is None
    assert read(text, NAMES | {"reader": digest("the key that replaces it")}, NOW) is None
    assert read(text, {name: value.upper() for name, value in NAMES.items()}, NOW), "hex in capitals is the same"
    assert getattr(Signatures("t" * 40), read.__name__)(text, NAMES, NOW) is None


@pytest.mark.parametrize(("write", "read", "lasts"), KINDS)
def test_nothing_of_the_key_is_in_it(write: Any, read: Reads, lasts: timedelta) -> None:
    body = write("reader", NAMES, NOW).rpartition(".")[0]
    raw = base64.urlsafe_b64decode(body.lstrip(".") + "==")
    plain = (zlib.decompress(raw) if body.startswith(".") else raw).decode()

    assert "reader" in plain, "this is what it says"
    key_digest = NAMES["reader"]
    assert not any(key_digest[at : at + 8] in plain for at in range(len(key_digest) - 8))
    assert KEYS["reader"] not in plain
    assert SECRET not in plain


def test_every_session_and_ticket_has_a_number_of_its_own() -> None:
    found = [SIGNS.session_in(SIGNS.session("reader", NAMES, NOW), NAMES, NOW) for _ in range(20)]

    assert len({each.number for each in found if each is not None}) == 20


def test_one_is_never_taken_for_another() -> None:
    session, ticket, token = (
        SIGNS.session("reader", NAMES, NOW),
        SIGNS.ticket("reader", NAMES, NOW),
        SIGNS.token("reader", "session", NOW),
    )
    assert SIGNS.session_in(ticket, NAMES, NOW) is SIGNS.session_in(token, NAMES, NOW) is None
    assert SIGNS.ticket_in(session, NAMES, NOW) is SIGNS.ticket_in(token, NAMES, NOW) is None
    assert not SIGNS.is_token(session, "reader", "session", NOW)


@given(texts)
def test_whatever_is_sent_is_nobody(text: str) -> None:
    assert SIGNS.session_in(text, NAMES, NOW) is None
    assert SIGNS.ticket_in(text, NAMES, NOW) is None
    assert not SIGNS.is_token(text, "a", "b", NOW)


def test_texts_that_cannot_be_encoded_or_are_very_long_are_nobody() -> None:
    for text in ("\ud800.x", "a.\udfff", SIGNS.session("reader", NAMES, NOW) + "=" * 2000, "." * 100_000):
        assert SIGNS.session_in(text, NAMES, NOW) is None


A_SESSION, A_TICKET = SIGNS.session("approver", NAMES, NOW), SIGNS.ticket("approver", NAMES, NOW)


@given(st.integers(0, 10**6), st.sampled_from(string.ascii_letters + string.digits + "-_."))
def test_a_changed_character_makes_it_worthless(at: int, other: str) -> None:
    for text, read in ((A_SESSION, SIGNS.session_in), (A_TICKET, SIGNS.ticket_in)):
        place = at % (len(text) - 1)  # of the last one, two bits say nothing
        changed = text[:place] + other + text[place + 1 :]
        assert changed == text or read(changed, NAMES, NOW) is None


@given(texts, texts, texts, texts, moments)
def test_a_token_counts_for_one_reader_and_one_purpose(
    bound: str, purpose: str, other_bound: str, other_purpose: str, at: datetime
) -> None:
    token = SIGNS.token(bound, purpose, at)

    assert SIGNS.is_token(token, bound, purpose, at)
    assert SIGNS.is_token(token, other_bound, other_purpose, at) == ((other_bound, other_purpose) == (bound, purpose))
    assert not SIGNS.is_token(token, bound + purpose, "", at) or not purpose
    assert not SIGNS.is_token(token, bound, purpose, at + TOKEN_LASTS)


def test_what_others_sign_with_our_secret_for_something_else_is_nothing() -> None:
    forged = URLSafeSerializer(SECRET).dumps({"key": "reader", "code": "", "at": int(NOW.timestamp()), "no": "1"})

    assert SIGNS.session_in(str(forged), NAMES, NOW) is None
