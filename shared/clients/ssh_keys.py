"""Parse SSH keys from settings in every common form, with errors that name the problem.

Settings are single lines, and secret stores change line breaks into spaces, so line breaks are not relied on.
"""

import io
import re
from typing import Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HOST_KEY: Final = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?=\s|$)")
_KINDS: Final[tuple[tuple[type, type[paramiko.PKey]], ...]] = (
    (Ed25519PrivateKey, paramiko.Ed25519Key),
    (EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (RSAPrivateKey, paramiko.RSAKey),
)


class KeyTextError(Exception):
    """The text holds no usable key; the message completes "the setting ..." and never quotes the text."""


def private_key_text(text: str) -> str:
    """The key as PEM with its line breaks restored, in its original format.

    Raises :class:`KeyTextError`, which says what is wrong and what to do.
    """
    found = _PEM.search(text)
    if found is None:
        raise KeyTextError(_what_it_is(text))
    label, body = found[1], "".join(found[2].split())
    if "ENCRYPTED" in label or "Proc-Type:" in body:
        raise _encrypted()
    if "PRIVATE KEY" not in label:
        raise KeyTextError(f"holds a {label.lower()}; give the private key")
    if not _BASE64.fullmatch(body):
        raise KeyTextError("holds a private key with characters that are not base64; copy the whole file again")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def private_key(text: str) -> paramiko.PKey:
    """The Ed25519, ECDSA or RSA key in a text (OpenSSH's own form, PKCS#8, or PKCS#1 and SEC1).

    Raises :class:`KeyTextError`, which says what is wrong and what to do.
    """
    pem = private_key_text(text).encode()
    load = load_ssh_private_key if b"BEGIN OPENSSH" in pem else load_pem_private_key
    try:
        key = load(pem, password=None)
    except TypeError as error:  # the library's word for a key that needs a passphrase
        raise _encrypted() from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            raise _encrypted() from error
        raise KeyTextError("holds a private key that is damaged or cut; copy the whole file again") from error
    for kind, of_paramiko in _KINDS:
        if isinstance(key, kind):
            plain = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            return of_paramiko.from_private_key(io.StringIO(plain.decode()))
    kind_name = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
    raise KeyTextError(f"holds a key of the kind {kind_name}; SSH servers take Ed25519, ECDSA and RSA")


def host_key_line(text: str) -> str:
    """``type base64`` in a line of ssh-keyscan, of known_hosts or of a ``.pub`` file; raises :class:`KeyTextError`."""
    found = _HOST_KEY.search(text.strip().strip("\"'"))
    if found is None:
        raise KeyTextError("must be one line, type and base64, such as: ssh-ed25519 AAAA... (ssh-keyscan prints it)")
    return f"{found[1]} {found[2]}"


def _encrypted() -> KeyTextError:
    return KeyTextError("holds a key with a passphrase, which the app cannot enter; remove it with: ssh-keygen -p")


def _what_it_is(text: str) -> str:
    start = text.strip().strip("\"'")
    if not start:
        return "is empty; give the private key"
    if left_in_the_vault := _left_in_the_vault(start):
        return left_in_the_vault
    if start.startswith("PuTTY-User-Key-File"):
        return "holds a key in PuTTY's format; export it with puttygen as an OpenSSH key"
    if _HOST_KEY.search(start):
        return "holds a public key; give the private key"
    if "-----BEGIN" in start:
        return "holds a private key without its end; copy the whole file, the lines BEGIN and END too"
    return "contains no private key; give an Ed25519, ECDSA or RSA key without passphrase, with its BEGIN and END lines"


def _left_in_the_vault(start: str) -> str:
    """What a text is that only says where the key is; empty: it does not."""
    if start.startswith("@Microsoft.KeyVault"):
        return (
            "is a Key Vault reference that was not resolved; "
            "check that the secret exists and that the app's identity may read it"
        )
    if start.startswith("https://") and "/secrets/" in start:
        return (
            "is the address of a secret, which is not read here; "
            "give the key itself: az keyvault secret show --id ADDRESS --query value --output tsv"
        )
    return ""
