import base64
import hashlib
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.api.actors import PRINCIPAL, PRINCIPAL_NAME, actor_of
from function_app.problems import BadFieldError
from shared.decisions.explanations.actors import actor_text
from shared.messages import Actor, ActorKind
from tests.support.api import a_request

KEY = "a-key-of-the-host"
NAME_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"


def settings(*, signed_in: bool = False, **names: str) -> Any:
    return SimpleNamespace(app_service_authentication=signed_in, key_names=names)


def principal(name: str = "ada@hospital.example") -> str:
    claims = [{"typ": "aud", "val": "api"}, {"typ": NAME_CLAIM, "val": name}]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims, "name_typ": NAME_CLAIM}).encode()).decode()


def asked(headers: dict[str, str], *, said: str = "", signed_in: bool = True, **names: str) -> Actor:
    return actor_of(a_request(headers=headers), settings(signed_in=signed_in, **names), said=said)


def test_a_person_who_is_signed_in_is_known_by_name() -> None:
    actor = asked({PRINCIPAL: principal(), "x-functions-key": KEY})

    assert actor == Actor(kind=ActorKind.PERSON, name="ada@hospital.example")
    assert actor_text(actor) == "ada@hospital.example"


def test_the_header_of_a_person_counts_only_when_the_platform_signs_people_in() -> None:
    actor = asked({PRINCIPAL: principal(), "x-functions-key": KEY}, signed_in=False)

    assert actor.kind is ActorKind.KEY
    assert "ada" not in actor_text(actor)


def test_nobody_who_is_signed_in_asks_in_anothers_name() -> None:
    assert asked({PRINCIPAL: principal()}, said="ada@hospital.example").name == "ada@hospital.example"
    with pytest.raises(BadFieldError) as refused:
        asked({PRINCIPAL: principal()}, said="grace")
    assert refused.value.field == "by"


def test_a_principal_without_a_name_may_have_it_in_the_platforms_other_header() -> None:
    nameless = base64.b64encode(json.dumps({"claims": [], "name_typ": NAME_CLAIM}).encode()).decode()

    assert asked({PRINCIPAL: nameless, PRINCIPAL_NAME: "grace"}).name == "grace"
    with pytest.raises(BadFieldError):
        asked({PRINCIPAL: nameless})


def test_a_key_is_known_by_the_name_that_the_settings_give_its_digest() -> None:
    actor = asked({"x-functions-key": KEY}, said="ada", ops=hashlib.sha256(KEY.encode()).hexdigest().upper())

    assert actor == Actor(kind=ActorKind.KEY, name="ops", said="ada")
    assert "a key, not a person" in actor_text(actor)
    assert "ada" in actor_text(actor)


def test_a_key_without_a_name_is_told_from_others_and_never_shown() -> None:
    one, other = asked({"x-functions-key": KEY}), asked({"x-functions-key": KEY + "2"})

    assert one != other
    assert KEY not in actor_text(one)
    assert asked({}, signed_in=False).name == "none"


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: base64.b64encode(json.dumps(text).encode())))
def test_whatever_is_sent_as_a_principal_is_refused_by_name_or_understood(sent: bytes) -> None:
    with pytest.raises(BadFieldError) as refused:
        asked({PRINCIPAL: sent.decode("latin-1") or "x"})
    assert refused.value.field == PRINCIPAL


def test_a_name_cannot_forge_a_line_of_the_record() -> None:
    actor = asked({"x-functions-key": KEY}, said="ada\nit was approved by grace" + "x" * 300)

    assert "\n" not in actor_text(actor)
    assert len(actor.said) <= 100
