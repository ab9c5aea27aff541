"""Statements that are signed and read again, and everything that must not count."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.signing.bundles import MEDIA_TYPE, open_bundle, sign
from shared.signing.dsse import EnvelopeError, UntrustedError
from shared.signing.keys import FileKeySigner, TrustedKeys, cosign_hint, key_id, public_pem
from shared.signing.statements import IMAGE, MODEL, Statement, Subject, canonical, read_statement
from tests.support.signing import a_key, private_pem, trusting

NAMES = st.text(st.characters(codec="utf-8"), max_size=30)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
PREDICATES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | NAMES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
STATEMENTS = st.builds(
    Statement,
    subjects=st.lists(st.builds(Subject, NAMES, DIGESTS), min_size=1, max_size=3).map(tuple),
    predicate_type=st.sampled_from([IMAGE, MODEL, "urn:x"]),
    predicate=PREDICATES,
)


@given(STATEMENTS)
def test_what_is_signed_is_read_again(statement: Statement) -> None:
    bundle = sign(statement, a_key())

    signed = open_bundle(bundle, trusting("another", "a key"))

    assert signed.statement == statement
    assert signed.key == a_key().public_key
    assert sign(statement, a_key()) == bundle, "the same statement has the same bundle"


@given(STATEMENTS)
def test_a_key_that_is_not_trusted_counts_for_nothing(statement: Statement) -> None:
    bundle = sign(statement, a_key("another"))

    for keys in (trusting(), TrustedKeys()):
        with pytest.raises(UntrustedError):
            open_bundle(bundle, keys)


@given(STATEMENTS, st.data())
def test_no_byte_of_the_payload_or_the_signature_can_be_changed(statement: Statement, data: st.DataObject) -> None:
    document = json.loads(sign(statement, a_key()))
    envelope = document["dsseEnvelope"]
    part = data.draw(st.sampled_from(["payload", "sig"]))
    holder = envelope if part == "payload" else envelope["signatures"][0]
    content = bytearray(base64.b64decode(holder[part]))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    holder[part] = base64.b64encode(bytes(content)).decode()

    with pytest.raises(EnvelopeError):
        open_bundle(json.dumps(document).encode(), trusting())


@given(st.binary(max_size=200) | PREDICATES.map(canonical))
def test_anything_else_is_refused_and_never_an_error_of_ours(content: bytes) -> None:
    with pytest.raises(EnvelopeError):
        open_bundle(content, trusting())


@given(st.binary(max_size=200) | PREDICATES.map(canonical))
def test_a_payload_that_is_no_statement_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_statement(content)


def test_another_payload_type_is_refused() -> None:
    document = json.loads(sign(Statement(subjects=(Subject("x", "ab" * 32),), predicate_type=IMAGE), a_key()))
    document["dsseEnvelope"]["payloadType"] = "application/vnd.edgetrain.receipt+json"

    with pytest.raises(EnvelopeError):
        open_bundle(json.dumps(document).encode(), trusting())


def test_the_hint_is_the_one_that_each_verifier_looks_for() -> None:
    def hint(predicate_type: str) -> str:
        statement = Statement(subjects=(Subject("x", "ab" * 32),), predicate_type=predicate_type)
        document = json.loads(sign(statement, a_key()))
        assert document["mediaType"] == MEDIA_TYPE
        return str(document["verificationMaterial"]["publicKey"]["hint"])

    assert hint(MODEL) == key_id(a_key().public_key)
    assert hint(IMAGE) == cosign_hint(a_key().public_key)


def test_several_keys_are_read_from_one_setting_with_escaped_line_breaks() -> None:
    names = ["one", "two", "three"]
    text = "".join(public_pem(a_key(name).public_key) for name in names)

    assert TrustedKeys.parse(text) == trusting(*names)
    assert TrustedKeys.parse(text.replace("\n", "\\n")) == trusting(*names)
    assert TrustedKeys.parse("") == TrustedKeys.parse(" \n") == TrustedKeys()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        public_pem(a_key().public_key) + "and more",
        private_pem(a_key()),
        public_pem(a_key().public_key)[:-30],
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ],
    ids=["nonsense", "more", "private", "cut", "no key"],
)
def test_what_is_no_list_of_public_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TrustedKeys.parse(text)


def test_a_private_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="private key"):
        FileKeySigner.parse(public_pem(a_key().public_key).encode())
