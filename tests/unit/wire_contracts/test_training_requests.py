import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Cause, ReplyTo
from shared.values.wire import from_text, from_wire, to_text, to_wire
from shared.wire_contracts.training_requests import (
    LARGEST_BODY,
    LONGEST_LABEL,
    LONGEST_MESSAGE_ID,
    Envelope,
    UpstreamRequest,
    admission_request,
    identity_of,
    key_of,
    reply_of,
    request_from,
)
from tests.support.workflow import START

BODY = {"schema": 1, "pipeline": "breast-cancer"}


def a_message(body: object = None, /, **properties: Any) -> Envelope:
    """``body``: changes of the least body there is, or bytes."""
    content = body if isinstance(body, bytes) else json.dumps(BODY | (body if isinstance(body, dict) else {})).encode()
    return Envelope(**{"body": content, "message_id": "message-1"} | properties)


def refusal_of(message: Envelope) -> str:
    with pytest.raises(PermanentError) as caught:
        request_from(message)
    assert caught.value.code is Code.BAD_REQUEST
    return caught.value.reason


def test_the_least_message_is_enough() -> None:
    asked = request_from(a_message())

    assert (asked.pipeline, asked.parameters, asked.force, asked.note) == ("breast-cancer", {}, False, "")
    assert asked.reply == ReplyTo(message_id="message-1")


def test_everything_that_is_asked_reaches_the_admission() -> None:
    body = {"reason": "assay\n17", "parameters": {"c": 0.5, "n": 3, "flag": True, "kind": "l2"}, "force": True}

    request = admission_request(request_from(a_message(body)), "bus-1", START)

    assert request == AdmissionRequest(
        pipeline="breast-cancer",
        cause=Cause.UPSTREAM,
        requested_by="bus-1",
        requested_at=START,
        parameters={"c": 0.5, "n": 3, "flag": True, "kind": "l2"},
        force=True,
        note="assay 17",
        reply=ReplyTo(message_id="message-1"),
    )


@pytest.mark.parametrize(
    ("body", "properties", "correlation_id", "reply_to"),
    [
        ({}, {}, "", ""),
        ({}, {"correlation_id": "c-1", "reply_to": "lab/answers"}, "c-1", "lab/answers"),
        ({"correlation_id": "c-2", "reply_to": "lab"}, {"correlation_id": "c-1", "reply_to": "x"}, "c-2", "lab"),
        ({"correlation_id": "", "reply_to": ""}, {"correlation_id": "c-1", "reply_to": "x"}, "c-1", "x"),
    ],
)
def test_the_body_counts_more_than_the_messages_own_properties(
    body: dict[str, str], properties: dict[str, str], correlation_id: str, reply_to: str
) -> None:
    reply = request_from(a_message(body, **properties)).reply

    assert (reply.correlation_id, reply.reply_to) == (correlation_id, reply_to)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b"",
            r"the body is not JSON in UTF-8 \(it is empty\); send an object with these fields: schema, pipeline",
        ),
        (b"\xff\xfe", "the body is not JSON in UTF-8"),
        (b'{"schema":1,"pipeline":"\xff"}', "the body is not JSON in UTF-8 .*byte 25 is not UTF-8"),
        (b'{"schema":1,"pipeline":"\\ud800"}', "^pipeline holds half a character"),
        ('{"schema":1}'.encode("utf-16"), r"the body is not JSON in UTF-8 \(it is in UTF-16; send UTF-8\)"),
        (b'{"schema":1,"pipeline":"a","pipeline":"b"}', "^the field pipeline stands in it twice"),
        (b"[" * 5000, "the body is not JSON in UTF-8 .*nested deeper than"),
        (
            b'{"schema":1,"pipeline":"p","parameters":{"n":' + b"9" * 5000 + b"}}",
            "the body is not JSON .*has 5000 digits",
        ),
        (b"x" * (LARGEST_BODY + 1), "the body has 8193 bytes, and at most 8192 are taken; send names, no data"),
        (b"[]", "the body must be a JSON object with these fields: schema"),
        (b"null", "the body must be a JSON object"),
        (b"{}", "schema is missing; add it"),
        (b'{"schema":1}', "pipeline is missing; add it"),
        ({"schema": 2}, "schema must be 1, the only version there is"),
        ({"schema": True}, "schema must be 1"),
        ({"schema": "1"}, "schema must be 1"),
        ({"pipeline": ""}, "pipeline must have at least 1 character"),
        ({"pipeline": "p" * 201}, "pipeline must have at most 200 characters"),
        ({"pipeline": 7}, "pipeline must be a text"),
        ({"reason": "r" * 501}, "reason must have at most 500 characters"),
        ({"force": "yes"}, "force must be true or false"),
        ({"force": None}, "force must be true or false"),
        ({"parameters": []}, "parameters must be an object"),
        ({"parameters": {"c": [1]}}, "parameters.c must be a string, a number or a boolean"),
        ({"parameters": {"c": float("nan")}}, "parameters.c must be a finite number"),
        ({"parameters": {"c": 2**53 + 1}}, "parameters.c must be a whole number between"),
        ({"parameters": {"c" * 101: 1}}, "at most 100 characters"),
        ({"parameters": {f"c{number}": 1 for number in range(101)}}, "parameters must have at most 100"),
        ({"correlation_id": "c" * 257}, "correlation_id must have at most 256 characters"),
        ({"reply_to": "r" * 257}, "reply_to must have at most 256 characters"),
        ({"pipline": "breast-cancer"}, "pipline is unknown; known: schema, pipeline, reason, parameters, force, corr"),
        ({"version": 1}, "version is unknown"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(body: object, reason: str) -> None:
    assert re.search(reason, refusal_of(a_message(body)))


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"message_id": "m" * 129}, "MessageId must have at most 128 characters"),
        ({"message_id": "\ud800"}, "MessageId"),
        ({"correlation_id": "c" * 257}, "CorrelationId must have at most 256 characters"),
        ({"correlation_id": "\ud800"}, "CorrelationId"),
        ({"reply_to": "r" * 257}, "ReplyTo must have at most 256 letters, digits"),
    ],
)
def test_properties_that_cannot_be_kept_are_refused(properties: dict[str, str], reason: str) -> None:
    assert refusal_of(a_message(**properties)).startswith(reason)


@pytest.mark.parametrize(
    "secret",
    [
        "https://lab.blob.local/answers?sv=2019&sig=c2VjcmV0",
        "Endpoint=sb://lab;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0",
        "amqps://name:c2VjcmV0@lab/answers",
        "lab answers",
        "lab\nanswers",
    ],
)
def test_a_reply_to_that_may_hold_a_secret_is_refused_and_never_repeated(secret: str) -> None:
    in_body, in_property = a_message({"reply_to": secret}), a_message(reply_to=secret)

    assert refusal_of(in_body).startswith("reply_to must have")
    assert refusal_of(in_property).startswith("ReplyTo must have")
    for message in (in_body, in_property):
        assert "c2VjcmV0" not in refusal_of(message)
        assert reply_of(message).reply_to == ""


def test_a_byte_order_mark_is_no_trouble() -> None:
    assert request_from(a_message(b"\xef\xbb\xbf" + a_message().body)).pipeline == "breast-cancer"


def test_a_bad_message_is_answered_under_the_correlation_id_that_its_body_names() -> None:
    assert reply_of(a_message({"correlation_id": "c-1", "pipline": "p"})).correlation_id == "c-1"
    assert reply_of(a_message({"correlation_id": 7}, correlation_id="c-2")).correlation_id == "c-2"
    assert reply_of(a_message(b"garbage", correlation_id="c-2")).correlation_id == "c-2"


def test_messages_that_ask_for_the_same_have_the_same_digest() -> None:
    same = request_from(a_message(b' {"pipeline": "breast-cancer",\n "schema": 1, "correlation_id": "c"} '))

    assert same.digest == request_from(a_message()).digest
    for change in ({"pipeline": "digits"}, {"force": True}, {"parameters": {"c": 1}}, {"reason": "r"}):
        assert request_from(a_message(change)).digest != same.digest


def test_a_message_without_an_id_is_known_by_its_place_in_the_queue() -> None:
    first = a_message(message_id="", sequence_number=7, enqueued_at=START)

    assert identity_of(first) == "sequence-7-20260501T100000000000"
    assert identity_of(replace(first, enqueued_at=None)) == "sequence-7"
    # After the queue was made anew it counts from the start again.
    later = replace(first, enqueued_at=START.replace(year=2027))
    assert key_of(later) != key_of(first)
    assert key_of(replace(first)) == key_of(first)


texts = st.text(st.characters(), max_size=300) | st.text(max_size=300)  # with halves of characters, and without
envelopes = st.builds(
    Envelope,
    body=st.binary(max_size=300),
    message_id=texts,
    correlation_id=texts,
    reply_to=texts,
    sequence_number=st.integers(0, 2**63),
    enqueued_at=st.none() | st.just(START),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3))
fields = st.sampled_from(["schema", "pipeline", "reason", "parameters", "force", "correlation_id", "reply_to", "other"])
near_misses = st.one_of(
    st.dictionaries(fields, values).map(lambda changes: json.dumps(BODY | changes).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=300),
    st.tuples(st.just(a_message().body), st.integers(0, 40), st.binary(max_size=3)).map(
        lambda part: part[0][: part[1]] + part[2] + part[0][part[1] :]
    ),
)


@given(envelopes, near_misses)
@example(Envelope(body=b""), b"{" * LARGEST_BODY)
@example(Envelope(body=b""), b'{"schema":' * 800)
@example(Envelope(body=b""), b'{"schema":1e999,"pipeline":-0}')
@example(Envelope(body=b""), b'{"schema":1,"pipeline":"p","parameters":{"n":-' + b"1" * 4000 + b"}}")
@example(Envelope(body=b""), b"\x00" * 256 * 1024)
def test_whatever_comes_is_understood_or_refused_and_can_be_answered(envelope: Envelope, body: bytes) -> None:
    message = replace(envelope, body=body)
    asked: UpstreamRequest | None = None
    try:
        asked = request_from(message)
    except PermanentError as error:
        refusal = error
    if asked is None:
        assert refusal.code is Code.BAD_REQUEST
        assert 0 < len(refusal.reason) < 1000

    reply = reply_of(message)
    assert from_text(ReplyTo, to_text(reply)) == reply
    assert 0 < len(reply.message_id) <= LONGEST_MESSAGE_ID
    assert max(len(reply.correlation_id), len(reply.reply_to)) <= LONGEST_LABEL
    assert re.fullmatch("[0-9a-f]{32}", key_of(message))
    if asked is not None:
        request = admission_request(asked, f"bus-{key_of(message)}", START)
        assert from_wire(AdmissionRequest, to_wire(request)) == request
        assert len(to_text(request)) < 30_000


@given(
    st.fixed_dictionaries(
        {"schema": st.just(1), "pipeline": st.text(min_size=1, max_size=200)},
        optional={
            "reason": st.text(max_size=500),
            "parameters": st.dictionaries(
                st.text(max_size=20),
                st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
                max_size=5,
            ),
            "force": st.booleans(),
            "correlation_id": st.text(max_size=LONGEST_LABEL),
            "reply_to": st.text("aZ09_.:/$~+-", max_size=LONGEST_LABEL),
        },
    )
)
def test_every_good_message_is_understood(body: dict[str, Any]) -> None:
    asked = request_from(a_message(json.dumps(body, ensure_ascii=False).encode()))

    assert asked.pipeline == body["pipeline"]
    assert asked.parameters == body.get("parameters", {})
    assert asked.reply.correlation_id == body.get("correlation_id", "")
    assert asked.reply.reply_to == body.get("reply_to", "")
