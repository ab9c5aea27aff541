"""Signed envelopes (DSSE 1.0), signed and checked with ECDSA P-256.

https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from shared.signing.keys import Signer, TrustedKeys, key_id

_MOST_SIGNATURES: Final = 10


class EnvelopeError(Exception):
    """The envelope is none, or nobody with the key has signed it; the message completes "the envelope ..."."""


class UntrustedError(EnvelopeError):
    """The envelope can be read, and none of its signatures was made by a key that counts."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an envelope held, and the key by which it was signed."""

    payload: bytes
    key: EllipticCurvePublicKey


def sealed(payload: bytes, payload_type: str, signer: Signer) -> dict[str, Any]:
    """An envelope with this payload and its signature."""
    message = pre_authentication(payload_type, payload)
    signature = signer.sign_digest(hashlib.sha256(message).digest())
    return {
        "payload": _text(payload),
        "payloadType": payload_type,
        "signatures": [{"keyid": key_id(signer.public_key), "sig": _text(signature)}],
    }


def opened(envelope: bytes, key: EllipticCurvePublicKey, *, payload_type: str) -> bytes:
    """The payload of an envelope that the owner of the key has signed; raises :class:`EnvelopeError`."""
    try:
        said = json.loads(envelope)
    except (ValueError, RecursionError):
        raise EnvelopeError("cannot be read") from None
    return opened_by(said, TrustedKeys((key,)), payload_type=payload_type).payload


def opened_by(said: Any, keys: TrustedKeys, *, payload_type: str) -> Opened:
    """What an envelope holds that one of the keys has signed; raises :class:`EnvelopeError`."""
    try:
        kind, payload = str(said["payloadType"]), base64.b64decode(said["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in said["signatures"][:_MOST_SIGNATURES]]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise EnvelopeError("cannot be read") from None
    if kind != payload_type:
        raise EnvelopeError("holds something else")
    key = keys.signed_by(pre_authentication(kind, payload), signatures)
    if key is None:
        raise UntrustedError(
            "has no signature by that key" if len(keys.keys) == 1 else "has no signature by those keys"
        )
    return Opened(payload, key)


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed: ``DSSEv1``, and both parts with their lengths."""
    return b" ".join([b"DSSEv1", str(len(kind.encode())).encode(), kind.encode(), str(len(payload)).encode(), payload])


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
