"""Who reads the page, and how a browser is let in."""

from datetime import UTC, datetime, timedelta

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.who import (
    COOKIE,
    Reader,
    comes_from_the_page,
    cookie_of,
    cookies_of,
    is_over_https,
    reader_of,
    signed_in_by_key,
    signed_in_by_ticket,
)
from function_app.problems import BadFieldError, RefusedError
from function_app.sessions import Signatures
from shared.access_settings import AccessSettings
from shared.decisions.access.roles import EVERY_ROLE, Role
from shared.messages import ActorKind
from tests.support.access import KEYS, NO_ROLES, PEOPLE, ROLES, UNKNOWN_KEY, by_key, digest, signed_in
from tests.support.api import a_request
from tests.support.memory_tables import memory_ledger

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SIGNS = Signatures("s" * 40)


def who(
    headers: dict[str, str], settings: AccessSettings = ROLES, signs: Signatures | None = SIGNS, now: datetime = NOW
) -> Reader | None:
    return reader_of(a_request(headers=headers), settings, signs, now)


def session(key: str, settings: AccessSettings = ROLES) -> dict[str, str]:
    return {"Cookie": f"zone=Europe/Amsterdam; {COOKIE}={signed_in_by_key(KEYS[key], settings, SIGNS, NOW)}"}


def test_a_session_reads_as_its_key_with_the_roles_of_now() -> None:
    cookie = session("reader")
    promoted = AccessSettings(key_names=ROLES.key_names, key_roles={"reader": frozenset({Role.OPERATOR})})

    then, now = who(cookie), who(cookie, promoted)

    assert then is not None
    assert now is not None
    assert (then.actor.kind, then.actor.name, set(then.roles)) == (ActorKind.KEY, "reader", {Role.READER})
    assert now.roles == {Role.OPERATOR}
    assert then.bound == now.bound
    assert (then.may(Role.READER), then.may(Role.OPERATOR), now.may(Role.READER)) == (True, False, True)


def test_a_session_ends_with_its_time_its_key_and_the_secret() -> None:
    cookie = session("operator")
    others = AccessSettings(key_names={"operator": digest("another key")})

    assert who(cookie, now=NOW + timedelta(hours=7, minutes=59)) is not None
    assert who(cookie, now=NOW + timedelta(hours=8)) is None
    assert who(cookie, others) is None
    assert who(cookie, AccessSettings()) is None
    assert who(cookie, signs=None) is None
    assert who(cookie, signs=Signatures("t" * 40)) is None


def test_a_key_counts_in_the_header_alone_and_only_when_it_has_a_name() -> None:
    by_header = who(by_key("approver"))

    assert by_header is not None
    assert by_header.roles == {Role.APPROVER}
    assert who({"x-functions-key": UNKNOWN_KEY}, NO_ROLES) is None
    assert reader_of(a_request(code=KEYS["approver"]), ROLES, SIGNS, NOW) is None
    assert who({}) is None
    assert who({"x-functions-key": UNKNOWN_KEY} | session("reader")) is None, "a wrong key is not overlooked"


def test_a_person_goes_before_keys_and_sessions() -> None:
    person = who(signed_in("approver") | by_key("operator") | session("operator"), PEOPLE)

    assert person is not None
    assert (person.actor.kind, person.actor.name, set(person.roles)) == (ActorKind.PERSON, "ada", {Role.APPROVER})
    assert who(signed_in("approver")) is None, "nobody proves a person where the platform does not"
    with pytest.raises(BadFieldError):
        who({"X-MS-CLIENT-PRINCIPAL": "forged"}, PEOPLE)


def test_without_roles_everybody_who_is_known_may_everything() -> None:
    reader = who(session("reader", NO_ROLES), NO_ROLES)

    assert reader is not None
    assert reader.roles == EVERY_ROLE


def test_tokens_are_tied_to_who_reads() -> None:
    readers = [
        who(session("reader")),
        who(session("reader")),
        who(by_key("reader")),
        who(signed_in("reader"), PEOPLE),
    ]

    assert len({each.bound for each in readers if each is not None}) == len(readers)


def test_a_ticket_signs_in_once() -> None:
    claims, ticket = memory_ledger().requests, SIGNS.ticket("operator", ROLES.key_names, NOW)

    cookie = signed_in_by_ticket(ticket, ROLES, SIGNS, claims, NOW)
    reader = who({"Cookie": f"{COOKIE}={cookie}"})

    assert reader is not None
    assert reader.actor.name == "operator"
    with pytest.raises(RefusedError, match="edgetrain page"):
        signed_in_by_ticket(ticket, ROLES, SIGNS, claims, NOW)
    other = SIGNS.ticket("operator", ROLES.key_names, NOW)
    assert signed_in_by_ticket(other, ROLES, SIGNS, claims, NOW)


def test_a_ticket_that_does_not_count_claims_nothing() -> None:
    class Nothing:
        def claim_once(self, source: str, number: str, *, at: datetime) -> bool:
            raise AssertionError(source, number, at)

    for ticket, now in (("x", NOW), (SIGNS.ticket("reader", ROLES.key_names, NOW), NOW + timedelta(minutes=10))):
        with pytest.raises(RefusedError) as refused:
            signed_in_by_ticket(ticket, ROLES, SIGNS, Nothing(), now)
        assert refused.value.status == 403


def test_only_a_key_with_a_name_signs_in_and_only_where_there_is_a_secret() -> None:
    with pytest.raises(RefusedError) as unknown:
        signed_in_by_key(UNKNOWN_KEY, ROLES, SIGNS, NOW)
    with pytest.raises(RefusedError, match="EDGETRAIN_PAGE__SECRET") as off:
        signed_in_by_key(KEYS["reader"], ROLES, None, NOW)
    with pytest.raises(RefusedError):
        signed_in_by_key("", AccessSettings(key_names={"empty": digest("")}), SIGNS, NOW)

    assert (unknown.value.code, off.value.code) == ("not_signed_in", "sign_in_is_off")
    assert UNKNOWN_KEY not in unknown.value.reason


def test_the_cookie_is_for_the_page_alone() -> None:
    value = signed_in_by_key(f" {KEYS['reader']}\n", ROLES, SIGNS, NOW)

    assert cookie_of(value, secure=True) == (
        f"{COOKIE}={value}; Path=/ui; Max-Age=28800; HttpOnly; SameSite=Strict; Secure"
    )
    assert "Secure" not in cookie_of(value, secure=False)
    assert cookie_of("", secure=True).startswith(f"{COOKIE}=; Path=/ui; Max-Age=0; ")
    assert not set(value) & set(' ",;\\'), "nothing that a cookie cannot hold"


@given(st.text(max_size=80))
def test_whatever_a_cookie_holds_is_nobody(text: str) -> None:
    assert who({"Cookie": f"{COOKIE}={text}"}) is None
    assert who({"Cookie": text}) is None


def test_of_two_cookies_with_one_name_the_first_counts() -> None:
    assert cookies_of(a_request(headers={"Cookie": 'a=1; b="2"; a=3; c'})) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("url", "headers", "secure"),
    [
        ("https://app.example/ui", {}, True),
        ("http://127.0.0.1/ui", {}, False),
        ("http://app.example/ui", {"X-Forwarded-Proto": "https"}, True),
        ("http://app.example/ui", {"X-Forwarded-Proto": "https, http"}, True),
    ],
)
def test_the_cookie_stays_on_https_where_the_browser_speaks_it(url: str, headers: dict[str, str], secure: bool) -> None:
    assert is_over_https(func.HttpRequest("POST", url, headers=headers, body=b"")) is secure


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://app.example", "Host": "app.example"}, True),
        ({"Origin": "https://evil.example", "Host": "app.example"}, False),
        ({"Origin": "null", "Host": "app.example"}, False),
        ({"Origin": "https://evil.example"}, False),
    ],
)
def test_a_form_of_another_site_is_seen(headers: dict[str, str], ours: bool) -> None:
    assert comes_from_the_page(a_request("POST", headers=headers)) is ours
