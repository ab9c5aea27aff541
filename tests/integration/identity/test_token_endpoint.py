"""The token endpoint of the local stack, through azure-identity as the app uses it."""

import time
from collections.abc import Callable

import jwt
import pytest
import requests

from local_stack.identity.tokens import MANAGEMENT, RESOURCES, STORAGE, Issuer, RefusedTokenError
from shared.clients.identity import managed_identity
from shared.errors import Code, PermanentError, TransientError
from tests.integration.identity.conftest import LOCAL_RESOURCE
from tests.support.identity import TokenService, token_service


@pytest.fixture(autouse=True)
def an_app(tokens: TokenService, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tokens.environment.items():
        monkeypatch.setenv(name, value)


def test_each_resource_has_tokens_of_its_own_and_each_is_issued_once(tokens: TokenService) -> None:
    before, credential = tokens.issued(), managed_identity()

    for resource in sorted(RESOURCES | {LOCAL_RESOURCE}):
        for _ in range(3):
            token = credential.get_token(f"{resource}/.default").token
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["aud"], claims["appid"]) == (resource, tokens.client_ids[0])

    after = tokens.issued()
    assert {after[each] - before.get(each, 0) for each in after} == {1}


def test_a_client_id_chooses_the_identity_and_an_unknown_one_names_the_setting(tokens: TokenService) -> None:
    second = tokens.client_ids[1]
    token = managed_identity(second).get_token(f"{STORAGE}/.default").token
    assert jwt.decode(token, options={"verify_signature": False})["appid"] == second

    with pytest.raises(PermanentError, match="AZURE_CLIENT_ID") as caught:
        managed_identity("nobody").get_token(f"{STORAGE}/.default")
    assert caught.value.code is Code.BAD_CONFIGURATION


def test_without_the_secret_of_the_app_nothing_is_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "zq-wrong-zq")

    with pytest.raises(PermanentError) as caught:
        managed_identity().get_token(f"{STORAGE}/.default")
    assert "zq-wrong-zq" not in str(caught.value)


def test_what_nobody_has_in_the_tenant_gets_no_tokens() -> None:
    with pytest.raises(PermanentError):
        managed_identity().get_token("https://elsewhere.example/.default")


@pytest.mark.parametrize("query", ["", "?api-version=2017-09-01&resource=https://storage.azure.com"])
def test_older_forms_are_refused(tokens: TokenService, query: str) -> None:
    headers = {"X-IDENTITY-HEADER": tokens.environment["IDENTITY_HEADER"]}

    answer = requests.get(tokens.environment["IDENTITY_ENDPOINT"] + query, headers=headers, timeout=30)

    assert (answer.status_code, "access_token" in answer.text) == (400, False)


def test_an_endpoint_that_dies_is_waited_for(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with token_service(tmp_path_factory.mktemp("mortal"), "--seconds", "60") as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        credential = managed_identity()
        credential.get_token(f"{STORAGE}/.default")
        service.kill()
        with pytest.raises(TransientError):
            credential.get_token(f"{STORAGE}/.default")  # the one it has is old: it asks for another
        service.start()

        assert credential.get_token(f"{STORAGE}/.default").token


def test_a_token_is_good_for_one_service_one_issuer_and_a_time(
    tokens: TokenService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    issuer = Issuer.open(tokens.state / "issuer.json")
    other = Issuer.open(tmp_path_factory.mktemp("other") / "issuer.json")
    now = int(time.time())
    client_id = tokens.client_ids[0]
    token = issuer.issue(STORAGE, client_id, now=now, seconds=60)

    assert issuer.check(token, f"{STORAGE}/", now=now)["appid"] == client_id
    refusals: dict[str, Callable[[], object]] = {
        "audience": lambda: issuer.check(token, MANAGEMENT, now=now),
        "expired": lambda: issuer.check(token, STORAGE, now=now + 61),
        "not valid yet": lambda: issuer.check(token, STORAGE, now=now - 400),
        "not one that we issued": lambda: other.check(token, STORAGE, now=now),
    }
    for why, check in refusals.items():
        with pytest.raises(RefusedTokenError, match=why):
            check()
    with pytest.raises(RefusedTokenError):
        issuer.check("", STORAGE, now=now)
