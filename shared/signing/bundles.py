"""Sigstore bundles v0.3: a signed statement, and a hint at the key, in one JSON document.

https://github.com/sigstore/protobuf-specs, ``sigstore_bundle.proto``. Nothing is kept in a public log: what a site
trains is nobody else's business; verifiers are told so (``docs/delivery.md``).
"""

import json
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from shared.signing.dsse import EnvelopeError, opened_by, sealed
from shared.signing.keys import Signer, TrustedKeys, cosign_hint, key_id
from shared.signing.statements import MODEL, PAYLOAD_TYPE, Statement, canonical, read_statement

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement, and the key by which it was signed."""

    statement: Statement
    key: EllipticCurvePublicKey


def sign(statement: Statement, signer: Signer) -> bytes:
    """The bundle with a statement and its signature."""
    key = signer.public_key
    # OpenSSF's tool for models insists on the key's id in its own form, cosign looks for another.
    hint = key_id(key) if statement.predicate_type == MODEL else cosign_hint(key)
    return canonical(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": sealed(statement.encode(), PAYLOAD_TYPE, signer),
        }
    )


def open_bundle(bundle: bytes, keys: TrustedKeys) -> Signed:
    """The statement of a bundle that one of the keys has signed.

    Raises :class:`shared.signing.dsse.EnvelopeError`, of which ``UntrustedError`` when only the key is wrong.
    """
    try:
        envelope = json.loads(bundle)["dsseEnvelope"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EnvelopeError("cannot be read") from None
    found = opened_by(envelope, keys, payload_type=PAYLOAD_TYPE)
    try:
        return Signed(read_statement(found.payload), found.key)
    except ValueError:
        raise EnvelopeError("holds something else") from None
