"""What the app makes of a receipt, whoever wrote it."""

import base64
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.receipts import ENVELOPE_FILE, PAYLOAD_TYPE, RECEIPT_FILE, read_receipt
from shared.errors import Code, PermanentError
from shared.messages import ReceiptSummary, SignatureState
from shared.settings import Compute
from shared.signing.dsse import pre_authentication

SITE, STRANGER = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
RECEIPT: dict[str, Any] = {
    "schema": 1,
    "run_id": "r-1",
    "pipeline": "churn",
    "job_version": "0123",
    "policy_sha256": "ab",
    "image": "registry/scoring/churn@sha256:1",
    "released": [{"name": "model/m.skops", "kind": "model", "bytes": 1000, "sha256": "cd", "rule": "skops"}] * 3,
    "held_back": [{"name": "notes.txt", "kind": "file", "bytes": 9, "reason": "not on the list"}],
    "checks": [{"name": "rows in the model", "result": "passed", "detail": ""}, {"name": "size", "result": "failed"}],
    "network": [{"container": "train", "received": 0, "sent": 0}, {"container": "evaluate", "received": 1, "sent": 2}],
    "released_bytes": 3000,
}
SUMMARY = ReceiptSummary(
    released_bytes=3000,
    released=3,
    held_back=1,
    network_bytes=3,
    job_version="0123",
    policy="ab",
    failed_checks=("size",),
)


@dataclass
class Outputs:
    files: dict[str, bytes]

    def small_file(self, name: str, *, most: int) -> bytes | None:
        return self.files.get(name)


def pem(key: EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed(payload: bytes, key: EllipticCurvePrivateKey, kind: str = PAYLOAD_TYPE) -> bytes:
    signature = key.sign(pre_authentication(kind, payload), ECDSA(SHA256()))
    parts = {"payload": payload, "sig": signature}
    shown = {name: base64.b64encode(content).decode() for name, content in parts.items()}
    return json.dumps(
        {"payloadType": kind, "payload": shown["payload"], "signatures": [{"keyid": "", "sig": shown["sig"]}]}
    ).encode()


def read(files: dict[str, bytes], key: str = "") -> ReceiptSummary | None:
    compute = cast(Compute, SimpleNamespace(receipt_key=key))
    return read_receipt(cast(RunOutputs, Outputs(files)), "r-1", "hub-vm", compute)


def text(**changes: Any) -> bytes:
    return json.dumps(RECEIPT | changes).encode()


def test_without_a_key_the_receipt_is_read_and_the_signature_is_not_checked() -> None:
    assert read({RECEIPT_FILE: text()}) == SUMMARY
    assert SUMMARY.signature is SignatureState.NOT_CHECKED
    assert read({}) is None


@pytest.mark.parametrize("key", [pem(SITE), pem(SITE).replace("\n", "\\n")])
def test_with_a_key_what_is_signed_counts(key: str) -> None:
    found = read({ENVELOPE_FILE: signed(text(), SITE), RECEIPT_FILE: text(released_bytes=0)}, key)

    assert found is not None
    assert (found.released_bytes, found.signature) == (3000, SignatureState.VALID)


def altered(envelope: bytes) -> bytes:
    said = json.loads(envelope)
    said["payload"] = base64.b64encode(text(released_bytes=0)).decode()
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {RECEIPT_FILE: text()},
        {ENVELOPE_FILE: b"{}"},
        {ENVELOPE_FILE: b"\xff"},
        {ENVELOPE_FILE: signed(text(), STRANGER)},
        {ENVELOPE_FILE: altered(signed(text(), SITE))},
        {ENVELOPE_FILE: signed(text(), SITE, kind="application/other")},
        {ENVELOPE_FILE: signed(text(run_id="r-2"), SITE)},
        {ENVELOPE_FILE: signed(b"[]", SITE)},
    ],
)
def test_with_a_key_anything_else_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(PermanentError, match="EDGETRAIN_COMPUTES__HUB_VM__RECEIPT_KEY") as caught:
        read(files, pem(SITE))

    assert caught.value.code is Code.RECEIPT_REFUSED


def test_a_setting_that_is_no_key_is_named() -> None:
    with pytest.raises(PermanentError, match="EDGETRAIN_COMPUTES__HUB_VM__RECEIPT_KEY") as caught:
        read({ENVELOPE_FILE: signed(text(), SITE)}, "ssh-ed25519 AAAA")

    assert caught.value.code is Code.BAD_CONFIGURATION


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        text(run_id="another"),
        text(released_bytes=-1),
        text(released_bytes=True),
        text(released_bytes=1.5),
        text(released="many"),
        text(network=[{}]),
        text(checks=[1]),
        text(network=None),
    ],
)
def test_what_is_not_understood_says_nothing(content: bytes) -> None:
    assert read({RECEIPT_FILE: content}) is None


def test_long_texts_of_a_receipt_are_shortened() -> None:
    checks = [{"name": "x" * 1000, "result": "failed"}] * 1000

    found = read({RECEIPT_FILE: text(job_version="v" * 1000, checks=checks)})

    assert found is not None
    assert len(found.job_version) == 80
    assert [len(name) for name in found.failed_checks] == [80] * 10
