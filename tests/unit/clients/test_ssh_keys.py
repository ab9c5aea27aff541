"""Keys in settings: generated here, in every form that people paste."""

import itertools
from collections.abc import Callable

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared.clients.ssh_keys import KeyTextError, host_key_line, private_key, private_key_text

ED25519 = ed25519.Ed25519PrivateKey.generate()
ECDSA = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
FORMS = [
    pytest.param(ED25519, PrivateFormat.OpenSSH, id="ed25519-openssh"),
    pytest.param(ED25519, PrivateFormat.PKCS8, id="ed25519-pkcs8"),
    pytest.param(ECDSA, PrivateFormat.OpenSSH, id="ecdsa-openssh"),
    pytest.param(ECDSA, PrivateFormat.PKCS8, id="ecdsa-pkcs8"),
    pytest.param(ECDSA, PrivateFormat.TraditionalOpenSSL, id="ecdsa-sec1"),
    pytest.param(RSA, PrivateFormat.OpenSSH, id="rsa-openssh"),
    pytest.param(RSA, PrivateFormat.PKCS8, id="rsa-pkcs8"),
    pytest.param(RSA, PrivateFormat.TraditionalOpenSSL, id="rsa-pkcs1"),
]
PASTED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "spaces for line breaks": lambda text: text.replace("\n", " "),
    "no line breaks": lambda text: text.replace("\n", ""),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "indented": lambda text: "\n".join(f"    {line}" for line in text.splitlines()),
    "quoted": lambda text: f'"{text}"',
    "with words around": lambda text: f"Bag Attributes\n    friendlyName: vm\n{text}\nthe end\n",
}


def pem(key: Key, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def public(key: Key) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED.keys())
@pytest.mark.parametrize(("key", "form"), FORMS)
def test_every_common_form_is_understood(key: Key, form: PrivateFormat, pasted: Callable[[str], str]) -> None:
    plain = pem(key, form)
    text = pasted(plain)
    understood = private_key(text)
    assert f"{understood.get_name()} {understood.get_base64()}" == public(key)
    mended = private_key_text(text)
    assert mended.replace("\n", "") == plain.replace("\n", "")
    assert max(map(len, mended.splitlines())) <= 64


def encrypted(key: Key, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"canary")).decode()


DAMAGED = pem(ED25519, PrivateFormat.OpenSSH).replace("b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjI")
DSA = dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
LINES = pem(RSA, PrivateFormat.PKCS8).splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("canary-no-key", "private key"),
        (encrypted(ED25519, PrivateFormat.OpenSSH), "passphrase"),
        (encrypted(RSA, PrivateFormat.PKCS8), "passphrase"),
        (encrypted(RSA, PrivateFormat.TraditionalOpenSSL), "passphrase"),
        (encrypted(ECDSA, PrivateFormat.PKCS8).replace("\n", " "), "passphrase"),
        (public(RSA), "holds a public key"),
        ("-----BEGIN PUBLIC KEY----- AAAA -----END PUBLIC KEY-----", "holds a public key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "holds a certificate"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "puttygen"),
        ("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/canary)", "Key Vault reference"),
        ("https://v.vault.azure.net/secrets/canary", "is the address of a secret"),
        ("\n".join(LINES[:-1]), "without its end"),
        ("\n".join(LINES[:3] + LINES[-1:]), "damaged or cut"),
        (DAMAGED, "damaged or cut"),
        ("-----BEGIN PRIVATE KEY-----\n*canary*\n-----END PRIVATE KEY-----", "not base64"),
        (DSA, "of the kind DSA"),
    ],
    ids=itertools.count(),  # the keys are others in each process
)
def test_what_cannot_be_used_is_named_and_never_quoted(text: str, expected: str) -> None:
    with pytest.raises(KeyTextError, match=expected) as caught:
        private_key(text)
    assert "canary" not in str(caught.value)


HOST = "ssh-ed25519 " + "".join(public(ED25519).split()[1:2])


@pytest.mark.parametrize(
    "text",
    [
        HOST,
        f"{HOST} root@vm",
        f"192.0.2.7 {HOST}",
        f"[192.0.2.7]:2222,vm.example {HOST} comment",
        f"|1|aGFzaA==|aGFzaA== {HOST}",
        f"# 192.0.2.7:22 SSH-2.0-OpenSSH_9.2\n192.0.2.7 {HOST}\n",
        f'"{HOST}"',
    ],
    ids=itertools.count(),
)
def test_a_host_key_is_found_in_any_line_that_holds_one(text: str) -> None:
    assert host_key_line(text) == HOST
    assert paramiko.hostkeys.HostKeyEntry.from_line(f"vm {host_key_line(text)}") is not None


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "nonsense AAAA", "192.0.2.7"])
def test_a_line_without_a_host_key_is_named(text: str) -> None:
    with pytest.raises(KeyTextError, match="type and base64"):
        host_key_line(text)
