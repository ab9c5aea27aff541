"""Tokens of the app's identity by azure-identity: kept while they are good; what is none is an error of ours."""

import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_stack.azure_ml.tls import ensure_certificates
from shared.clients.identity import CheckedCredential, NoIdentityError, managed_identity, service_principal
from shared.clients.key_vault_signer import vault_token
from shared.clients.registry_login import identity_token
from shared.errors import Code, PermanentError, TransientError
from tests.support.answering import SIGN_IN, Answering, Reply, answering

SCOPE = "https://management.azure.com/.default"
CANARY = "zq-canary-token-zq"


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Answering]:
    with answering() as service:
        yield service


@pytest.fixture
def service(shared_service: Answering, monkeypatch: pytest.MonkeyPatch) -> Answering:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{shared_service.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "zq-header-zq")
    shared_service.asked.clear()
    shared_service.sent.clear()
    return shared_service


def says(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


def good(seconds: int = 3600, token: str = CANARY) -> Reply:
    expires = {"expires_on": str(int(time.time()) + seconds), "resource": "x", "token_type": "Bearer"}
    return says({"access_token": token, **expires})


def test_a_token_is_asked_for_once_for_each_resource_and_by_the_client_id(service: Answering) -> None:
    service.answer = lambda *_: good()
    credential = managed_identity("an-identity")

    tokens = [credential.get_token(SCOPE).token for _ in range(3)]
    tokens += [credential.get_token_info("https://vault.azure.net/.default").token]

    assert tokens == [CANARY] * 4
    assert len(service.asked) == 2
    assert "resource=https://management.azure.com" in service.asked[0]
    assert "client_id=an-identity" in service.asked[0]
    assert service.sent[0][0]["x-identity-header"] == "zq-header-zq"


def test_a_token_is_asked_for_again_before_its_end(service: Answering) -> None:
    service.answer = lambda *_: good(seconds=120)  # by now it is old: others are renewed five minutes before their end
    credential = managed_identity()

    for _ in range(2):
        credential.get_token(SCOPE)

    assert len(service.asked) == 2


REPLIES: list[tuple[Reply, type[Exception]]] = [
    (says({"error": "no identity", "message": CANARY}, 400), PermanentError),
    (says({}, 403), PermanentError),
    (says({}, 404), PermanentError),
    (SIGN_IN, TransientError),
    (Reply(403, b"<html>", "text/html"), TransientError),
    (Reply(302, headers={"Location": "/elsewhere"}), TransientError),
    (says({}), TransientError),
    (says([]), TransientError),
    (says("text"), TransientError),
    (Reply(200, b""), TransientError),
    (Reply(200, b'{"access_token": "' + CANARY.encode()), TransientError),
    (says({"access_token": CANARY}), TransientError),
    (says({"access_token": CANARY, "expires_on": "tomorrow"}), TransientError),
    (good(token=""), TransientError),
    (good(token=f"{CANARY}\r\nX-Other: 1"), TransientError),
]


@pytest.mark.parametrize(("reply", "raised"), REPLIES)
def test_what_is_no_token_is_an_error_of_ours_that_holds_nothing_of_it(
    service: Answering, reply: Reply, raised: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda *_: reply
    asks: list[Callable[[], object]] = [
        lambda: managed_identity().get_token(SCOPE),
        lambda: managed_identity().get_token_info(SCOPE),
        lambda: vault_token(managed_identity),
        lambda: identity_token(managed_identity),
    ]
    with caplog.at_level(logging.INFO):
        for ask in asks:
            with pytest.raises(raised) as caught:
                ask()
            if isinstance(caught.value, PermanentError):
                assert caught.value.code is Code.BAD_CONFIGURATION
            assert CANARY not in str(caught.value)
    assert CANARY not in caplog.text
    assert "zq-header-zq" not in caplog.text
    assert len(service.asked) == len(asks)  # an answer is an answer: it is not asked for again at once


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_service_that_cannot_now_is_asked_a_few_times(service: Answering, status: int) -> None:
    service.answer = lambda *_: says({}, status)

    with pytest.raises(TransientError):
        managed_identity().get_token(SCOPE)

    assert 1 <= len(service.asked) <= 3


def test_a_token_service_that_is_down_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "zq-header-zq")

    with pytest.raises(TransientError) as caught:
        managed_identity().get_token(SCOPE)

    assert "zq-header-zq" not in str(caught.value)


class Alone:
    """What azure-identity says where nobody gives tokens."""

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.identity import CredentialUnavailableError

        raise CredentialUnavailableError("ManagedIdentityCredential authentication unavailable")


def test_without_an_identity_each_client_says_what_to_set_instead() -> None:
    alone = CheckedCredential(Alone(), environment={})
    asks: dict[str, Callable[[], object]] = {
        "managed identity": lambda: alone.get_token(SCOPE),
        "EDGETRAIN_SIGNING__PRIVATE_KEY_FILE": lambda: vault_token(lambda: alone),
        "EDGETRAIN_CONTAINER_REGISTRY__USERNAME": lambda: identity_token(lambda: alone),
    }
    for remedy, ask in asks.items():
        with pytest.raises(PermanentError) as caught:
            ask()
        assert remedy in caught.value.reason
    with pytest.raises(NoIdentityError):
        alone.get_token(SCOPE)


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Answering, str]]:
    """The token service of a tenant by TLS, and whom to trust for it."""
    chain, key, bundle = ensure_certificates(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with answering(context) as served:
        yield served, str(bundle)


def test_a_service_principal_whose_secret_is_refused_names_the_setting(
    tenant: tuple[Answering, str], caplog: pytest.LogCaptureFixture
) -> None:
    service, bundle = tenant
    refusal = says({"error": "invalid_client", "error_description": f"{CANARY} expired"}, 401)
    places = {name: f"{service.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "issuer")}
    service.answer = lambda method, _: refusal if method == "POST" else says(places)
    credential = service_principal(
        "t", "c", "zq-secret-zq", setting="EDGETRAIN_X__CLIENT_SECRET", authority=service.url, ca_bundle=bundle
    )

    for _ in range(2):
        with pytest.raises(PermanentError) as caught:
            credential.get_token(SCOPE)
        assert "EDGETRAIN_X__CLIENT_SECRET" in caught.value.reason
        assert "zq-secret-zq" not in f"{caught.value} {caplog.text}"
        assert CANARY not in f"{caught.value} {caplog.text}"
    service.answer = lambda method, _: says(
        {"access_token": CANARY, "expires_in": 3600} if method == "POST" else places
    )
    assert credential.get_token(SCOPE).token == CANARY


def test_a_token_service_whose_authority_is_not_trusted_is_not_believed(tenant: tuple[Answering, str]) -> None:
    service, _ = tenant
    service.sent.clear()
    credential = service_principal("t", "c", "zq-secret-zq", setting="X", authority=service.url)

    with pytest.raises(TransientError):
        credential.get_token(SCOPE)
    assert service.sent == []
