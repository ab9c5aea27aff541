"""Who gets in, who may do what, and that nobody else's form does anything: every screen and action, by everybody."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
import pytest

from function_app.api.actors import KEY as KEY_HEADER
from function_app.page.actions import ACTS
from function_app.page.addresses import SCREENS
from function_app.page.door import own_address
from function_app.page.who import COOKIE
from shared.access_settings import AccessSettings
from shared.decisions.access.roles import Role
from tests.simulation.world import World
from tests.support.access import KEYS, PEOPLE, ROLES, UNKNOWN_KEY, signed_in
from tests.support.page_world import fields_in, get, html_of, page_world, post

NAME = "breast-cancer"
NOBODY = {KEY_HEADER: ""}
SUBJECT = {"name": NAME, "run_id": "run-1", "target": "hub-vm"}
DOES = {"start": "operator", "approve": "approver", "reject": "approver"} | dict.fromkeys(
    ("cancel", "resume", "roll-back", "release", "retire", "reinstate"), "operator"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with page_world(tmp_path_factory.mktemp("shop"), {NAME: {}}) as world:
        yield world


@pytest.fixture(autouse=True)
def roles(shop: World) -> None:
    shop.services.__dict__["access"] = ROLES
    shop.services.__dict__.pop("wrong_keys", None)


def believes_the_platform(world: World, settings: AccessSettings = PEOPLE) -> None:
    world.services.__dict__["access"] = settings


def entered(world: World, key: str, **more: str) -> func.HttpResponse:
    return post(world, "/ui/sign-in", {"key": key, **more}, **NOBODY)


def session(world: World, role: str) -> dict[str, str]:
    """What the browser of somebody with this role's key sends, once he has signed in."""
    answer = entered(world, KEYS[role])
    assert answer.status_code == 303
    return NOBODY | {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def address_of(path: str) -> str:
    known = {
        "run_id": "run-1",
        "name": NAME,
        "model": NAME,
        "action": "start",
        "action_id": "x",
        "version": "1",
        "*rest": "x",
    }
    query = f"?{urlencode(SUBJECT)}" if "{action}" in path else ""
    return "/" + path.format(**known) + query


SIGNED_IN = {role.value: role.value for role in Role}


def headers_of(world: World, who: str) -> dict[str, str]:
    if who.startswith("person "):
        believes_the_platform(world)
        return NOBODY | signed_in(who.removeprefix("person "))
    if who.startswith("key "):
        return {KEY_HEADER: KEYS[who.removeprefix("key ")]}
    if who == "nobody":
        return NOBODY
    if who == "wrong key":
        return {KEY_HEADER: UNKNOWN_KEY}
    if who == "forged cookie":
        return NOBODY | {"Cookie": f"{COOKIE}=eyJrZXkiOiJvcGVyYXRvciJ9.abc"}
    return session(world, who)


PEOPLE_AND_KEYS = [f"{kind}{role.value}" for kind in ("", "key ", "person ") for role in Role]
STRANGERS = ["nobody", "wrong key", "forged cookie"]


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_see_the_door_and_nothing_else(shop: World, who: str) -> None:
    headers = headers_of(shop, who)
    for screen in SCREENS:
        answer = get(shop, address_of(screen.path), **headers)
        assert (answer.status_code, answer.get_body()) == (303, b"")
        assert answer.headers["Location"].startswith("/ui/sign-in?next=%2Fui")
        assert get(shop, address_of(screen.path), **headers, **{"HX-Request": "true"}).status_code == 401
    for action in ACTS:
        answer = post(shop, f"/ui/actions/{action}", SUBJECT | {"reason": "because"}, **headers)
        assert (answer.status_code, answer.get_body()) == (303, b"")


@pytest.mark.parametrize("who", ["key without a role", "person somebody"])
def test_who_is_known_and_has_no_role_sees_nothing(shop: World, who: str) -> None:
    if who == "key without a role":
        roles = {"reader": frozenset({Role.READER})}
        shop.services.__dict__["access"] = AccessSettings(key_names=ROLES.key_names, key_roles=roles)
        headers = {KEY_HEADER: KEYS["operator"]}
    else:
        headers = headers_of(shop, who)
    for screen in SCREENS:
        said = html_of(get(shop, address_of(screen.path), **headers), 403)
        assert "role reader" in said
        assert NAME not in said


@pytest.mark.parametrize("who", PEOPLE_AND_KEYS)
def test_everybody_with_a_role_sees_every_screen(shop: World, who: str) -> None:
    headers = headers_of(shop, who)
    for screen in SCREENS:
        assert get(shop, address_of(screen.path), **headers).status_code in {200, 404}, screen.name


@pytest.mark.parametrize("who", PEOPLE_AND_KEYS)
def test_an_action_is_open_to_its_role_and_shown_disabled_to_others(shop: World, who: str) -> None:
    headers = headers_of(shop, who)
    role = who.rpartition(" ")[2]
    for action in ("start", "release", "retire", "reinstate"):
        form = html_of(get(shop, f"/ui/actions/{action}?{urlencode(SUBJECT)}", **headers))
        assert ("<fieldset disabled>" in form) == (DOES[action] != role)
        assert ("needs the role operator" in form) == (DOES[action] != role)
    for action, needed in DOES.items():
        answer = post(shop, f"/ui/actions/{action}", forged(shop, action, headers), **headers)
        assert (answer.status_code == 403) == (needed != role), action
        if needed != role:
            assert f"needs the role {needed}" in html_of(answer, 403)
    assert shop.ledger.actions.retirement(NAME) is None
    assert shop.ledger.runs.list_runs([NAME]).items == ()


def forged(world: World, action: str, headers: dict[str, str]) -> dict[str, str]:
    """What a page of ours sends for this action, to what is not there, so that nothing is done."""
    from function_app.page.actions import purpose
    from function_app.page.who import reader_of
    from tests.support.page_world import asked_for

    act = ACTS[action]
    subject = {name: SUBJECT[name] for name in (*act.subject, *(each for each in act.may if each == "target"))}
    subject |= {"name": "no-such-pipeline"} if "name" in subject else {}
    signs, now = world.services.signatures, datetime.now(UTC)
    assert signs is not None
    reader = reader_of(asked_for("POST", "/ui/actions/x", headers), world.services.access, signs, now)
    assert reader is not None
    return subject | {"token": signs.token(reader.bound, purpose(act, subject), now)}


FORGERIES: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("without a token", {"token": ""}, {}),
    ("with another token", {"token": "x.y"}, {}),
    ("for something else", {"name": "another"}, {}),
    ("from another site", {}, {"Sec-Fetch-Site": "cross-site"}),
    ("from a neighbour", {}, {"Sec-Fetch-Site": "same-site"}),
    ("with another origin", {}, {"Origin": "https://evil.example", "Host": "127.0.0.1"}),
    ("from nowhere", {}, {"Origin": "null", "Host": "127.0.0.1"}),
]


@pytest.mark.parametrize(("how", "fields", "headers"), FORGERIES, ids=[each[0] for each in FORGERIES])
def test_a_forged_form_does_nothing(shop: World, how: str, fields: dict[str, str], headers: dict[str, str]) -> None:
    operator = session(shop, "operator")
    form = fields_in(html_of(get(shop, f"/ui/actions/retire?name={NAME}", **operator)))

    answer = post(shop, "/ui/actions/retire", form | {"reason": "because"} | fields, **operator, **headers)

    assert answer.status_code == 403, how
    assert shop.ledger.actions.retirement(NAME) is None


def test_a_token_is_no_good_for_anybody_else_or_anything_else(shop: World) -> None:
    mine, others = session(shop, "operator"), session(shop, "operator")
    form = fields_in(html_of(get(shop, f"/ui/actions/retire?name={NAME}", **mine)))

    assert post(shop, "/ui/actions/retire", form | {"reason": "because"}, **others).status_code == 403
    assert post(shop, "/ui/actions/release", form, **mine).status_code == 403
    assert post(shop, "/ui/sign-out", form, **mine).status_code == 403
    assert shop.ledger.actions.retirement(NAME) is None


def test_only_small_forms_are_read(shop: World) -> None:
    operator = session(shop, "operator")
    large = post(shop, "/ui/actions/retire", {"name": NAME, "reason": "x" * 20_000}, **operator)
    other = post(shop, "/ui/actions/retire", {"name": NAME}, **operator | {"Content-Type": "application/json"})

    assert (large.status_code, other.status_code) == (413, 415)


def test_the_door_lets_in_and_out(shop: World) -> None:
    door = html_of(get(shop, "/ui/sign-in?next=/ui/targets", **NOBODY))
    assert fields_in(door)["next"] == "/ui/targets"
    let_in = entered(shop, KEYS["reader"], next="/ui/targets")
    assert (let_in.status_code, let_in.headers["Location"]) == (303, "/ui/targets")
    cookie = let_in.headers["Set-Cookie"]
    assert "HttpOnly; SameSite=Strict" in cookie
    assert "Path=/ui" in cookie

    browser = NOBODY | {"Cookie": cookie.partition(";")[0]}
    shown = html_of(get(shop, "/ui", **browser))
    token = shown.partition('action="/ui/sign-out"')[2].partition('name="token" value="')[2].partition('"')[0]
    out = post(shop, "/ui/sign-out", {"token": token}, **browser)
    assert (out.status_code, out.headers["Location"]) == (303, "/ui/sign-in")
    assert f"{COOKIE}=;" in out.headers["Set-Cookie"]


def test_a_link_signs_in_once(shop: World) -> None:
    signs = shop.services.signatures
    assert signs is not None
    ticket = signs.ticket("operator", ROLES.key_names, datetime.now(UTC))
    door = html_of(get(shop, f"/ui/sign-in?ticket={ticket}", **NOBODY))
    assert 'name="key"' not in door

    first = post(shop, "/ui/sign-in", fields_in(door), **NOBODY)
    second = post(shop, "/ui/sign-in", fields_in(door), **NOBODY)

    assert first.status_code == 303
    assert "does not sign in any more" in html_of(second, 403)
    assert get(shop, "/ui", **NOBODY | {"Cookie": first.headers["Set-Cookie"].partition(";")[0]}).status_code == 200


def test_another_site_signs_nobody_in(shop: World) -> None:
    answer = post(shop, "/ui/sign-in", {"key": KEYS["reader"]}, **NOBODY, **{"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_wrong_keys_are_tried_ten_times_a_minute_from_one_address(shop: World) -> None:
    here = NOBODY | {"X-Forwarded-For": "198.51.100.7, 203.0.113.5:1234"}
    for _ in range(10):
        assert post(shop, "/ui/sign-in", {"key": UNKNOWN_KEY}, **here).status_code == 403
    refused = post(shop, "/ui/sign-in", {"key": KEYS["reader"]}, **here)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert entered(shop, KEYS["reader"]).status_code == 303, "another address goes on"


@pytest.mark.parametrize("address", ["203.0.113.5", "[2001:db8::5]"])
def test_the_port_of_a_connection_is_no_address_of_its_own(shop: World, address: str) -> None:
    for port in range(2000, 2010):
        tried = NOBODY | {"X-Forwarded-For": f"198.51.100.7, {address}:{port}"}
        assert post(shop, "/ui/sign-in", {"key": UNKNOWN_KEY}, **tried).status_code == 403

    tried = NOBODY | {"X-Forwarded-For": f"{address}:2010"}
    assert post(shop, "/ui/sign-in", {"key": UNKNOWN_KEY}, **tried).status_code == 429


def test_what_fails_at_the_door_is_a_page_that_shows_no_traceback(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    signs = shop.services.signatures
    assert signs is not None
    ticket = signs.ticket("operator", ROLES.key_names, datetime.now(UTC))
    monkeypatch.setattr(shop.ledger.requests, "claim_once", lambda *_, **__: 1 / 0)

    said = html_of(post(shop, "/ui/sign-in", {"ticket": ticket}, **NOBODY), 500)

    assert "incident" in said
    assert "ZeroDivisionError" not in said


@pytest.mark.parametrize("address", ["/ui?CODE=secret-key", "/ui/runs?c%6fde=secret-key", "/ui/why?blob=" + "x" * 9000])
def test_the_way_to_the_door_repeats_no_key_and_no_endless_address(shop: World, address: str) -> None:
    there = get(shop, address, **NOBODY).headers["Location"]

    assert "secret-key" not in there
    assert len(there) < 200


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/ui",
        "//evil.example/ui",
        "/ui/../../x",
        "/ui//evil.example",
        "\\/evil.example",
        "/uix",
        "/ui\r\nSet-Cookie: a=b",
        "/ui/sign-out",
        "javascript:alert(1)",
        "/ui?" + "x" * 3000,
        "/ui/%2e%2e/api/runs",
        "/ui/..",
        "/ui/.%2E?x",
        "/ui/%73ign-in?next=/ui",
        "/ui?CODE=secret",
        "/ui?c%6Fde=secret",
        "",
    ],
)
def test_after_the_door_one_stays_on_the_page(shop: World, address: str) -> None:
    found = own_address(address)
    assert found == "/ui"
    assert entered(shop, KEYS["reader"], next=address).headers["Location"].startswith("/ui")


def test_a_link_of_another_site_is_followed_once_more_by_the_page_itself(shop: World) -> None:
    answer = get(shop, "/ui/why?blob=a%22b", **NOBODY, **{"Sec-Fetch-Site": "cross-site"})

    assert 'http-equiv="refresh" content="0;url=/ui/why?blob=a%22b"' in html_of(answer)


def test_nobody_signs_in_without_a_secret(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.services.__dict__, "signatures", None)

    assert "EDGETRAIN_PAGE__SECRET" in html_of(get(shop, "/ui/sign-in", **NOBODY), 409)
    assert entered(shop, KEYS["reader"]).status_code == 409
    by_key = {KEY_HEADER: KEYS["operator"]}
    form = html_of(get(shop, f"/ui/actions/retire?name={NAME}", **by_key))
    assert "<fieldset disabled>" in form
    assert post(shop, "/ui/actions/retire", fields_in(form) | {"reason": "x"}, **by_key).status_code == 403


def test_no_key_is_in_a_page_an_address_a_cookie_or_a_log(shop: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        entered(shop, KEYS["operator"]),
        entered(shop, UNKNOWN_KEY),
        entered(shop, KEYS["operator"], next=f"/ui?code={KEYS['operator']}"),
    ]
    browser = session(shop, "operator")
    answers += [get(shop, address_of(screen.path), **browser) for screen in SCREENS]
    answers += [get(shop, "/ui", **{KEY_HEADER: KEYS["operator"]})]
    seen: list[Any] = [caplog.text, *(str(dict(each.headers)) + str(each.get_body()) for each in answers)]

    for key in (KEYS["operator"], UNKNOWN_KEY):
        for index, text in enumerate(seen):
            assert key not in text, index


def test_a_door_without_a_secret_says_so_in_the_readers_language(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.services.__dict__, "signatures", None)
    said = html_of(get(shop, "/ui/sign-in", **NOBODY, **{"Accept-Language": "nl"}), 409)

    assert "Niemand meldt zich hier met een sleutel aan" in said
    assert "EDGETRAIN_PAGE__SECRET" in said
    assert "<h1>409 Nu niet mogelijk</h1>" in said
