"""Keys that statements are signed and verified with: ECDSA on the curve P-256, with SHA-256."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

CURVE: Final = "secp256r1"
_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
# By RFC 6979: the same statement gets the same signature, so that a repeat makes nothing new.
_PREHASHED: Final = ECDSA(Prehashed(SHA256()), deterministic_signing=True)


class Signer(Protocol):
    """Signs with a private key that may lie elsewhere. Errors are ``TransientError`` or ``PermanentError``."""

    @property
    def public_key(self) -> EllipticCurvePublicKey:
        """The key that verifies what it signs."""

    def sign_digest(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest (32 bytes), in DER."""


class FileKeySigner:
    """Signs with a private key from a PEM text or file."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def read(cls, file: Path) -> "FileKeySigner":
        """The key of a file (PEM, without a password); raises ``ValueError`` or ``OSError``."""
        return cls.parse(file.read_bytes())

    @classmethod
    def parse(cls, pem: bytes) -> "FileKeySigner":
        """The key of a PEM text; raises ``ValueError`` for anything but a private key of the curve P-256."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise ValueError("not a private key in PEM without a password") from None
        if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != CURVE:
            raise ValueError("not a private key of the curve P-256")
        return cls(key)

    @property
    def public_key(self) -> EllipticCurvePublicKey:
        """The key that verifies what it signs."""
        return self._key.public_key()

    def sign_digest(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest, in DER."""
        return self._key.sign(digest, _PREHASHED)


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Public keys whose signatures count; several while keys are rotated. Without one, no signature does."""

    keys: tuple[EllipticCurvePublicKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "TrustedKeys":
        r"""The keys of PEM blocks one after the other; line breaks may be written as ``\n``.

        Raises ``ValueError`` for anything that is no public key of the curve P-256.
        """
        whole = text.replace("\\n", "\n")
        blocks = [found[0] for found in _PEM.finditer(whole)]
        if _PEM.sub("", whole).strip() or (whole.strip() and not blocks):
            raise ValueError("not public keys in PEM, one after the other")
        return cls(tuple(public_key(block) for block in blocks))

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of each, see :func:`key_id`."""
        return tuple(key_id(key) for key in self.keys)

    def signed_by(self, message: bytes, signatures: Iterable[bytes]) -> EllipticCurvePublicKey | None:
        """The key by which one of the signatures (DER) was made for this message; None when none was."""
        found = list(signatures)
        return next((key for key in self.keys if any(is_signed(message, each, key) for each in found)), None)


def public_key(pem: str) -> EllipticCurvePublicKey:
    r"""The key of a PEM text, whose line breaks may be written as ``\n``; raises ``ValueError`` for anything else."""
    key = load_pem_public_key(pem.replace("\\n", "\n").strip().encode())
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != CURVE:
        raise ValueError("not a public key of the curve P-256")
    return key


def is_signed(message: bytes, signature: bytes, key: EllipticCurvePublicKey) -> bool:
    """Whether the owner of the key made this signature (DER) for this message."""
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def public_pem(key: EllipticCurvePublicKey) -> str:
    """The key as a PEM text that ends with a line break."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_id(key: EllipticCurvePublicKey) -> str:
    """SHA-256 of the PEM text in hex: what OpenSSF's ``model_signing`` knows a key by."""
    return hashlib.sha256(public_pem(key).encode("ascii")).hexdigest()


def cosign_hint(key: EllipticCurvePublicKey) -> str:
    """SHA-256 of the key in DER, in base64: what cosign knows a key by."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")
