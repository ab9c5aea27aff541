import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.failures import OutsideError
from site_agent.job.guard.receipt import MEDIA_TYPE, Receipt
from site_agent.job.guard.signing import (
    PrivateKey,
    SignatureError,
    key_id,
    load_key,
    load_public_key,
    make_key,
    pre_authentication_encoding,
    public_pem,
    sign,
    sign_bytes,
    verify,
)

RECEIPT = Receipt(run_id="run-1", pipeline="p", job_version="1", policy_sha256="ab", image="r/i@sha256:0")


def new_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_the_encoding_is_that_of_the_specification() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, "Test vectors".
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")

    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(st.text(max_size=30), st.binary(max_size=60), st.text(max_size=30), st.binary(max_size=60))
def test_two_documents_have_two_encodings(one: str, its: bytes, other: str, others: bytes) -> None:
    same = pre_authentication_encoding(one, its) == pre_authentication_encoding(other, others)

    assert same == ((one, its) == (other, others))


def test_a_signed_receipt_is_verified() -> None:
    key = new_key()

    envelope = sign(RECEIPT, key)

    assert json.loads(verify(json.loads(json.dumps(envelope)), key.public_key())) == RECEIPT.as_json()
    assert envelope["payloadType"] == MEDIA_TYPE
    assert [each["keyid"] for each in envelope["signatures"]] == [key_id(key.public_key())]


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    key = new_key()
    envelope = sign(RECEIPT, key)
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[place % len(payload)] ^= change
    envelope["payload"] = base64.b64encode(payload).decode()

    with pytest.raises(SignatureError):
        verify(envelope, key.public_key())


def test_one_of_several_keys_is_enough_and_another_is_not() -> None:
    key, other = new_key(), new_key()
    envelope = sign(RECEIPT, key)

    verify(envelope, [other.public_key(), key.public_key()])
    with pytest.raises(SignatureError):
        verify(envelope, [other.public_key()])


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payload": "not base64"},
        {"signatures": []},
        {"signatures": [{"keyid": "x"}]},
        {"signatures": None},
        {"signatures": [{"sig": "AAAA"}]},
    ],
)
def test_a_damaged_envelope_is_refused(change: dict[str, object]) -> None:
    key = new_key()

    with pytest.raises(SignatureError):
        verify(sign(RECEIPT, key) | change, key.public_key())


def test_openssl_verifies_the_signature(tmp_path: Path) -> None:
    """A verifier that is not ours, on the bytes that the specification says are signed."""
    key = new_key()
    envelope = sign_bytes(b'{"a":1}', MEDIA_TYPE, key)
    (tmp_path / "key").write_bytes(public_pem(key))
    (tmp_path / "signed").write_bytes(b'DSSEv1 38 application/vnd.edgetrain.receipt+json 7 {"a":1}')
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))

    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "signed"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "Verified OK", done.stderr


def test_the_key_id_is_the_digest_that_openssl_makes(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / "key").write_bytes(public_pem(key))

    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", "key", "-outform", "DER"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    digest = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout.split()[0].decode()

    assert key_id(key.public_key()) == digest


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    file.write_bytes(make_key())
    file.chmod(0o600)

    key = load_key(file)

    verify(sign(RECEIPT, key), load_public_key(public_pem(key)))


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    file.write_bytes(make_key())
    file.chmod(0o644)

    with pytest.raises(OutsideError):
        load_key(file)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "site.pem"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(OutsideError):
        load_key(file)
    with pytest.raises(SignatureError):
        load_public_key(content)


def test_the_private_key_is_of_the_curve_that_others_expect() -> None:
    key = load_pem_private_key(make_key(), password=None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
