"""Signed envelopes (DSSE 1.0), checked with an ECDSA P-256 public key.

https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
"""

import base64
import binascii
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_MOST_SIGNATURES: Final = 10


class EnvelopeError(Exception):
    """The envelope is none, or nobody with the key has signed it; the message completes "the envelope ..."."""


def public_key(pem: str) -> EllipticCurvePublicKey:
    r"""The key of a PEM text, whose line breaks may be written as ``\n``; raises ``ValueError`` for anything else."""
    key = load_pem_public_key(pem.replace("\\n", "\n").strip().encode())
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("not a public key of the curve P-256")
    return key


def opened(envelope: bytes, key: EllipticCurvePublicKey, *, payload_type: str) -> bytes:
    """The payload of an envelope that the owner of the key has signed; raises :class:`EnvelopeError`."""
    try:
        said: Any = json.loads(envelope)
        kind, payload = str(said["payloadType"]), base64.b64decode(said["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in said["signatures"][:_MOST_SIGNATURES]]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise EnvelopeError("cannot be read") from None
    if kind != payload_type:
        raise EnvelopeError("holds something else")
    if not any(_is_signed(signature, pre_authentication(kind, payload), key) for signature in signatures):
        raise EnvelopeError("has no signature by that key")
    return payload


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed: ``DSSEv1``, and both parts with their lengths."""
    return b" ".join([b"DSSEv1", str(len(kind.encode())).encode(), kind.encode(), str(len(payload)).encode(), payload])


def _is_signed(signature: bytes, message: bytes, key: EllipticCurvePublicKey) -> bool:
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
