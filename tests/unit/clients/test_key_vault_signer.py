"""Signing in Key Vault, against an imitation of its REST API."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.key_vault_signer import KeyVaultSigner
from shared.clients.signers import connect
from shared.errors import Code, PermanentError, TransientError
from shared.settings import Signing
from shared.signing.bundles import open_bundle, sign
from shared.signing.keys import is_signed, public_pem
from shared.signing.statements import IMAGE, Statement, Subject
from tests.support.answering import SIGN_IN, Reply, answering
from tests.support.signing import a_key, trusting


def text_of(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@dataclass
class Vault:
    """``answers``: what it says instead, one after the other. ``asked`` holds ``METHOD path``."""

    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    curve: str = "P-256"
    url: str = ""

    def reply(self, method: str, path: str, authorization: str, body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.answers:
            return self.answers.pop(0)
        if path.startswith("/msi"):
            return 200, {"access_token": "a-token", "expires_on": str(int(time.time()) + 3600)}
        if authorization != "Bearer a-token":
            return 401, {"error": {"code": "Unauthorized"}}
        if method == "GET":
            numbers = a_key().public_key.public_numbers()
            x, y = (text_of(part.to_bytes(32, "big")) for part in (numbers.x, numbers.y))
            return 200, {"key": {"kid": "x", "kty": "EC", "crv": self.curve, "x": x, "y": y}}
        asked = json.loads(body)
        assert asked["alg"] == "ES256"
        digest = base64.urlsafe_b64decode(asked["value"] + "==")
        halves = decode_dss_signature(a_key().sign_digest(digest))
        return 200, {"kid": "x", "value": text_of(b"".join(half.to_bytes(32, "big") for half in halves))}


@contextmanager
def running_vault() -> Iterator[Vault]:
    vault = Vault()

    def answer(method: str, path: str) -> Reply:
        headers, body = served.sent[-1]
        status, said = vault.reply(method, path, headers.get("authorization", ""), body)
        return SIGN_IN if said is SIGN_IN else Reply(status, json.dumps(said).encode())

    with answering() as served:
        served.answer, vault.url = answer, served.url
        yield vault


@pytest.fixture(scope="module")
def shared_vault() -> Iterator[Vault]:
    with running_vault() as vault:
        yield vault


@pytest.fixture
def vault(shared_vault: Vault) -> Vault:
    shared_vault.answers, shared_vault.asked, shared_vault.curve = [], [], "P-256"
    return shared_vault


def signer(vault: Vault) -> KeyVaultSigner:
    return KeyVaultSigner(f"{vault.url}/keys/images/0123", lambda: "a-token")


def test_what_the_vault_signs_is_verified_by_its_public_key(vault: Vault) -> None:
    statement = Statement(subjects=(Subject("models/x", "ab" * 32),), predicate_type=IMAGE)

    bundle = sign(statement, signer(vault))

    assert open_bundle(bundle, trusting()).statement == statement
    assert vault.asked == [
        "GET /keys/images/0123?api-version=7.4",
        "POST /keys/images/0123/sign?api-version=7.4",
    ]


@given(st.binary(max_size=40))
def test_signatures_with_leading_zeros_too(shared_vault: Vault, message: bytes) -> None:
    made = signer(shared_vault).sign_digest(hashlib.sha256(message).digest())

    assert is_signed(message, made, a_key().public_key)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ((500, {}), TransientError),
        ((429, {}), TransientError),
        ((200, SIGN_IN), TransientError),
        ((200, {"value": "AAAA"}), TransientError),
        ((200, {}), TransientError),
        ((200, {"value": text_of(b"\1" * 64)}), TransientError),  # by another key
        ((403, {"error": {"code": "Forbidden"}}), PermanentError),
        ((404, {"error": {"code": "KeyNotFound"}}), PermanentError),
    ],
)
def test_every_other_answer_is_an_error_of_ours(vault: Vault, answer: tuple[int, Any], raised: type[Exception]) -> None:
    vault.answers = [answer]

    with pytest.raises(raised):
        signer(vault).sign_digest(b"\0" * 32)


def test_a_refusal_names_setting_and_role(vault: Vault) -> None:
    vault.answers = [(403, {"error": {"code": "Forbidden"}})]

    with pytest.raises(PermanentError) as caught:
        signer(vault).sign_digest(b"\0" * 32)
    assert caught.value.code is Code.BAD_CONFIGURATION
    assert "EDGETRAIN_SIGNING__KEY_VAULT_KEY" in caught.value.reason
    assert "Key Vault Crypto User" in caught.value.reason


def test_a_key_of_another_curve_is_refused(vault: Vault) -> None:
    vault.curve = "P-384"

    with pytest.raises(PermanentError) as caught:
        _ = signer(vault).public_key
    assert caught.value.code is Code.BAD_CONFIGURATION


@pytest.mark.parametrize(
    "url",
    [
        "https://v.example/keys/images",
        "https://v.example/secrets/images/1",
        "http://v.example/keys/images/1",
        "v.example/keys/images/1",
        "https://v.example/keys/images/1?x=1",
    ],
)
def test_an_identifier_without_version_or_security_is_refused(url: str) -> None:
    with pytest.raises(PermanentError) as caught:
        KeyVaultSigner(url, lambda: "")
    assert caught.value.code is Code.BAD_CONFIGURATION


def test_the_settings_choose_the_vault_and_its_key_must_be_trusted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{vault.url}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    key = f"{vault.url}/keys/images/1"
    trusted, other = public_pem(a_key().public_key), public_pem(a_key("another").public_key)

    made = connect(Signing(key_vault_key=key, private_key_file="/no/such", trusted_keys=trusted))
    assert made.public_key == a_key().public_key

    for settings in (Signing(key_vault_key=key, trusted_keys=other), Signing(), Signing(private_key_file="/no/such")):
        with pytest.raises(PermanentError) as caught:
            connect(settings)
        assert caught.value.code is Code.BAD_CONFIGURATION
