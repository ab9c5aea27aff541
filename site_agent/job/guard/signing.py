"""Signed documents: DSSE envelopes, ECDSA on P-256 with SHA-256.

Specification: https://github.com/secure-systems-lab/dsse, ``protocol.md`` and ``envelope.md``. The key's id is the
SHA-256 of its SubjectPublicKeyInfo (DER), in hexadecimal; verifiers use it as a hint only, as the specification says.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from site_agent.job.failures import OutsideError
from site_agent.job.guard.receipt import MEDIA_TYPE, Receipt

_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


class SignatureError(ValueError):
    """An envelope that is damaged, of another type, or signed by none of the keys."""


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: type and payload with their lengths (PAE)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: PublicKey) -> str:
    """SHA-256 of the public key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(receipt: Receipt, key: PrivateKey) -> dict[str, Any]:
    """An envelope with the receipt and its signature."""
    return sign_bytes(receipt.as_bytes(), MEDIA_TYPE, key)


def sign_bytes(payload: bytes, payload_type: str, key: PrivateKey) -> dict[str, Any]:
    """An envelope of any document."""
    signature = key.sign(pre_authentication_encoding(payload_type, payload), _ALGORITHM)
    signed = {"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode("ascii")}
    return {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [signed],
    }


def verify(envelope: Mapping[str, Any], keys: PublicKey | Iterable[PublicKey], payload_type: str = MEDIA_TYPE) -> bytes:
    """The payload; raises :class:`SignatureError` unless one of the keys signed it as a document of this type."""
    trusted = [keys] if isinstance(keys, ec.EllipticCurvePublicKey) else list(keys)
    if envelope.get("payloadType") != payload_type:
        raise SignatureError("the document is of another type")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in envelope["signatures"]]
    except (KeyError, TypeError, binascii.Error, ValueError):
        raise SignatureError("the envelope is damaged") from None
    signed = pre_authentication_encoding(payload_type, payload)
    if not any(_is_signed(key, signature, signed) for key in trusted for signature in signatures):
        raise SignatureError("none of the trusted keys signed the document")
    return payload


def _is_signed(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def make_key() -> bytes:
    """A new private key, PKCS #8 in PEM, for a file that only the job may read."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: PrivateKey) -> bytes:
    """The public key in PEM, for those who verify."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_key(path: Path) -> PrivateKey:
    """The site's key; raises :class:`OutsideError` when it cannot be read, is of another kind, or open to others."""
    remedy = "run edgetrain prepare-vm again"
    try:
        if path.stat().st_mode & 0o077:
            raise OutsideError(
                f"the key of this site on the VM can be read by others; run chmod 600 on it, or {remedy}"
            )
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise OutsideError(f"the key of this site on the VM cannot be read; {remedy}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OutsideError(f"the key of this site on the VM is not one of ECDSA P-256; {remedy}")
    return key


def load_public_key(pem: bytes) -> PublicKey:
    """A key to verify with; raises :class:`SignatureError` for anything but ECDSA P-256 in PEM."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError):
        raise SignatureError("the key is not a public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureError("the key is not one of ECDSA P-256")
    return key
