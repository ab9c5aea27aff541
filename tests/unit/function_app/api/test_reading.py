"""What is asked is understood, or refused with the field's name and what to do about it; never anything else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.api import models as m
from function_app.api.reading import LARGEST_BODY, body_of, idempotency_key_of, query_of
from function_app.problems import BadFieldError, RefusedError
from shared.errors import Code
from shared.messages import Outcome
from tests.support.api import a_request

TEXTS = st.text(max_size=30) | st.sampled_from(["\ud800", "\x00", "1", "2026-05-01", "9" * 5000, "failed", "NaN"])


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (b"nonsense", None, "the body is not JSON"),
        (b"{", None, "the body is not JSON"),
        (b"\xff\xfe", None, "the body is not JSON"),
        ("{}".encode("utf-16"), None, "the body is not JSON (it is in UTF-16; send UTF-8)"),
        (b'{"force": true, "force": false}', "force", "the field force stands in it twice"),
        (b"[" * 5_000, None, "the body is not JSON"),
        (b'{"parameters": {"c": ' + b"9" * 5_000 + b"}}", None, "the body is not JSON"),
        (b'{"parameters": {"c": "\\ud800"}}', "parameters.c", "parameters.c holds half a character"),
        (b"[]", None, "must be a JSON object; known fields: parameters, force, dry_run, by, reason"),
        (b"null", None, "must be a JSON object"),
        (b'{"parameter": {}}', "parameter", "parameter is unknown; known: parameters, force, dry_run, by, reason"),
        (b'{"\\u0000": 1}', "\x00", r"'\x00' is unknown"),
        (b'{"parameters": []}', "parameters", "parameters must be an object"),
        (b'{"parameters": {"c": [1]}}', "parameters.c", "parameters.c must be a string, a number or a boolean"),
        (b'{"parameters": {"c": null}}', "parameters.c", "parameters.c must be a string, a number or a boolean"),
        (b'{"parameters": {"c": NaN}}', "parameters.c", "parameters.c must be a finite number"),
        (b'{"parameters": {"c": 1e999}}', "parameters.c", "parameters.c must be a finite number"),
        (b'{"parameters": {"c": ' + b"9" * 400 + b"}}", "parameters.c", "parameters.c must be a whole number between"),
        (b'{"force": 1}', "force", "force must be true or false"),
        (b'{"dry_run": "yes"}', "dry_run", "dry_run must be true or false"),
        (b'{"reason": 7}', "reason", "reason must be a text"),
        (json.dumps({"reason": "x" * 501}).encode(), "reason", "reason must have at most 500 characters"),
    ],
)
def test_a_bad_body_names_the_field(body: bytes, field: str | None, says: str) -> None:
    with pytest.raises(BadFieldError) as caught:
        body_of(m.RunBody, body)

    assert says in caught.value.reason
    assert (caught.value.code, caught.value.field) == (Code.BAD_REQUEST, field)


def test_a_good_body_is_taken_as_it_is() -> None:
    body = {"parameters": {"c": 1.5, "deep": True, "n": 3, "s": "é"}, "force": True, "reason": " two\nlines "}

    read = body_of(m.RunBody, json.dumps(body).encode())

    assert read.parameters == body["parameters"]
    assert [type(value) for value in read.parameters.values()] == [float, bool, int, str]
    assert (read.force, read.dry_run, read.reason) == (True, False, "two lines")


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"])
def test_no_body_asks_for_nothing_special(body: bytes) -> None:
    assert body_of(m.RunBody, body) == m.RunBody()


def test_a_body_that_could_not_be_kept_is_too_large() -> None:
    with pytest.raises(RefusedError, match="has 8193 bytes, and at most 8192 are taken") as caught:
        body_of(m.RunBody, b" " * (LARGEST_BODY + 1))

    assert caught.value.status == 413


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)
    .map(lambda value: {"parameters": {"c": value}, "force": value})
    .map(json.dumps)
    .map(str.encode)
)
def test_any_body_is_understood_or_refused(body: bytes) -> None:
    for model in (m.RunBody, m.ReleaseBody):
        try:
            read = body_of(model, body)
        except BadFieldError as error:
            json.dumps(error.reason).encode("utf-8")
        else:
            read.model_dump_json()


@pytest.mark.parametrize(
    ("model", "params", "field", "says"),
    [
        (m.RunsQuery, {"limit": "0"}, "limit", "query parameter limit must be greater than or equal to 1"),
        (m.RunsQuery, {"limit": "501"}, "limit", "limit must be less than or equal to 500"),
        (m.RunsQuery, {"limit": "ten"}, "limit", "query parameter limit must be a whole number"),
        (m.RunsQuery, {"limit": "5_0"}, "limit", "must be a whole number"),
        (m.RunsQuery, {"limit": "٣"}, "limit", "must be a whole number"),
        (m.RunsQuery, {"limit": "9" * 5000}, "limit", "must be a whole number"),
        (m.RunsQuery, {"limit": ""}, "limit", "must be a whole number"),
        (m.RunsQuery, {"outcome": "great"}, "outcome", "must be 'promoted', 'not_promoted'"),
        (m.RunsQuery, {"since": "yesterday"}, "since", "must be a time as in RFC 3339, such as 2026-05-01T10:00:00Z"),
        (m.RunsQuery, {"since": "2026-05-01T10:00:00"}, "since", "must be a time as in RFC 3339"),
        (m.RunsQuery, {"since": "2026-05-01T10:00:00 02:00"}, "since", "is written %2B in an address"),
        (m.RunsQuery, {"since": "2026-02-30"}, "since", "does not exist"),
        (m.RunsQuery, {"since": "0001-01-01T00:00:00+23:00"}, "since", "does not exist"),
        (m.RunsQuery, {"since": "1714557600"}, "since", "must be a time as in RFC 3339"),
        (m.RunsQuery, {"pipeline": ""}, "pipeline", "must have at least 1 character"),
        (m.RunsQuery, {"pipline": "x"}, "pipline", "query parameter pipline is unknown; known: limit, continuation"),
        (m.RunsQuery, {"continuation": "x" * 401}, "continuation", "must have at most 400 characters"),
        (m.NothingAsked, {"x": "1"}, "x", "query parameter x is unknown; known: none"),
        (m.StraysQuery, {}, "kind", "query parameter kind is missing; add it"),
        (m.StraysQuery, {"kind": "x"}, "kind", "must be 'outside' or 'rejected'"),
        (m.WhyQuery, {"pipeline": "p"}, "blob", "query parameter blob is missing; add it"),
        (m.WhyQuery, {"pipeline": "p", "blob": "\ud800"}, "blob", "must be a text"),
        (m.WhyQuery, {"pipeline": "p", "blob": "x" * 1025}, "blob", "must have at most 1024 characters"),
    ],
)
def test_a_bad_query_names_the_parameter(model: Any, params: dict[str, str], field: str, says: str) -> None:
    with pytest.raises(BadFieldError) as caught:
        query_of(model, params)

    assert says in caught.value.reason
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01t10:00z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T10:00:00.25+02:00", datetime(2026, 5, 1, 8, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-05-01T10:00:00.123456789Z", datetime(2026, 5, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_every_usual_form(text: str, moment: datetime) -> None:
    assert query_of(m.RunsQuery, {"since": text}).since == moment


def test_the_keys_of_the_host_are_none_of_ours() -> None:
    asked = query_of(m.RunsQuery, {"code": "secret", "clientId": "x", "limit": "7", "outcome": "failed"})

    assert (asked.limit, asked.outcome) == (7, Outcome.FAILED)


@given(
    st.dictionaries(
        st.sampled_from(["limit", "since", "outcome", "pipeline", "blob", "kind", "continuation"]) | TEXTS, TEXTS
    )
)
def test_any_query_is_understood_or_refused(params: dict[str, str]) -> None:
    for model in (m.RunsQuery, m.StraysQuery, m.WhyQuery, m.PageQuery, m.NothingAsked):
        try:
            query_of(model, params)
        except BadFieldError as error:
            json.dumps(error.reason).encode("utf-8")


@pytest.mark.parametrize("key", ["a", "2026-05-release", "with a space", "~" * 255])
def test_a_printable_key_is_taken(key: str) -> None:
    assert idempotency_key_of(a_request(headers={"Idempotency-Key": key})) == key


def test_no_key_is_none() -> None:
    assert idempotency_key_of(a_request()) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\x00", "\udcff", "tab\t", "line\n"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(BadFieldError, match="1 to 255 printable ASCII characters") as caught:
        idempotency_key_of(a_request(headers={"Idempotency-Key": key}))

    assert caught.value.field == "Idempotency-Key"
