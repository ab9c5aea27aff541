"""The encoding of transactions; that a service understands it is shown in ``tests/integration/ledger``."""

import json
import re

import pytest

from shared.clients.ledger.tables import UNKNOWN, Delete, Insert, Row, Update
from shared.clients.ledger.transactions import RefusedTransaction, encoded, refusal

URL = "http://127.0.0.1:1/account/table"
# As Azure and Azurite answer.
FAILED = (
    "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n--changesetresponse_1\r\n"
    "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {status} Conflict\r\n"
    "Content-Type: application/json\r\n\r\n{body}\r\n--changesetresponse_1--\r\n--batchresponse_1--\r\n"
)
MADE = FAILED.replace("{status} Conflict", "204 No Content").replace("{body}", "")


def _failed(status: int, body: str) -> str:
    return FAILED.format(status=status, body=body)


def _error(text: str, code: str) -> str:
    return json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": text}}})


def test_every_change_is_a_request_with_what_it_expects() -> None:
    boundary, body = encoded(
        [
            Insert(Row("p", "a", {"x": "é\r\n--x", "yes": True, "n": 3})),
            Update(Row("p'", "b c/", {"x": "2"}, 'W/"1"')),
            Delete(Row("p", "d", {}, 'W/"2"')),
            Delete(Row("p", "e", {})),
        ],
        URL,
    )
    text = body.decode("ascii")

    assert text.startswith(f"--{boundary}\r\n")
    assert text.endswith(f"--{boundary}--\r\n")
    assert re.findall(r"^(POST|PATCH|DELETE) (\S+) HTTP/1.1\r$", text, re.MULTILINE) == [
        ("POST", URL),
        ("PATCH", f"{URL}(PartitionKey='p%27%27',RowKey='b%20c%2F')"),
        ("DELETE", f"{URL}(PartitionKey='p',RowKey='d')"),
        ("DELETE", f"{URL}(PartitionKey='p',RowKey='e')"),
    ]
    assert re.findall(r"^If-Match: (.*)\r$", text, re.MULTILINE) == ['W/"1"', 'W/"2"', "*"]
    bodies = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert bodies == [
        {"PartitionKey": "p", "RowKey": "a", "x": "é\r\n--x", "yes": True, "n": 3},
        {"PartitionKey": "p'", "RowKey": "b c/", "x": "2"},
    ]


def test_an_answer_without_a_failed_part_refuses_nothing() -> None:
    assert refusal(202, MADE) is None


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (202, _failed(409, _error("7:exists", "E")), RefusedTransaction(409, "E", 7, "7:exists")),
        (202, _failed(412, _error("12:no\nmatch", "E")), RefusedTransaction(412, "E", 12, "12:no\nmatch")),
        (202, _failed(404, _error("gone", "TableNotFound")), RefusedTransaction(404, "TableNotFound", UNKNOWN, "gone")),
        (404, _error("gone", "TableNotFound"), RefusedTransaction(404, "TableNotFound", UNKNOWN, "gone")),
        (503, "busy", RefusedTransaction(503, "", UNKNOWN, "busy")),
        (500, '{"other": 1}', RefusedTransaction(500, "", UNKNOWN, '{"other": 1}')),
        (403, "", RefusedTransaction(403, "", UNKNOWN, "")),
    ],
)
def test_a_refusal_says_what_and_where(status: int, answer: str, expected: RefusedTransaction) -> None:
    assert refusal(status, answer) == expected
