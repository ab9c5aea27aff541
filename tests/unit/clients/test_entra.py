"""Tokens of the app's identity: kept while they are good; what is none is an error of ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.clients.entra import EntraCredential, managed_identity
from shared.clients.key_vault_signer import vault_token
from shared.errors import Code, PermanentError, TransientError
from tests.support.answering import SIGN_IN, Answering, Reply, answering

SCOPE = "https://management.azure.com/.default"


@pytest.fixture(scope="module")
def service() -> Iterator[Answering]:
    with answering() as service:
        yield service


def identity(service: Answering) -> dict[str, str]:
    return {"IDENTITY_ENDPOINT": f"{service.url}/msi", "IDENTITY_HEADER": "secret"}


def says(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


def test_a_token_is_asked_for_again_before_its_end(service: Answering) -> None:
    now = 1_000_000.0
    service.answer = lambda *_: says({"access_token": "a-token", "expires_in": 3600})
    credential = EntraCredential(managed_identity(identity(service)), clock=lambda: now)
    service.asked.clear()

    assert [credential.get_token(SCOPE).token for _ in range(3)] == ["a-token"] * 3
    assert len(service.asked) == 1
    now += 3400
    credential.get_token(SCOPE)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (says({"error": "no identity"}, 400), PermanentError),
        (says({}, 403), PermanentError),
        (says({}, 429), TransientError),
        (says({}, 500), TransientError),
        (SIGN_IN, TransientError),
        (says([]), TransientError),
        (says({"access_token": ""}), TransientError),
        (says({"access_token": "two\nlines"}), TransientError),
    ],
)
def test_what_is_no_token_is_an_error_of_ours(service: Answering, reply: Reply, raised: type[Exception]) -> None:
    service.answer = lambda *_: reply
    for ask in (managed_identity(identity(service)), lambda _: vault_token(identity(service))):
        with pytest.raises(raised) as caught:
            ask("https://management.azure.com/")
        if isinstance(caught.value, PermanentError):
            assert caught.value.code is Code.BAD_CONFIGURATION
        assert "lines" not in str(caught.value)
