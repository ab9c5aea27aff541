"""Entity group transactions, as bytes.

The SDK's own ``submit_transaction`` builds and reads them with the ``email`` package, which costs a millisecond of
computing per row: more than everything else that happens to an arrival. Its pipeline still sends what is written here.
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.clients.ledger.tables import UNKNOWN, Change, Delete, Insert, Row

_STATUS = re.compile(r"^HTTP/1\.[01] (\d{3})", re.MULTILINE)
_POSITION = re.compile(r"(\d+):")


@dataclass(frozen=True, slots=True)
class RefusedTransaction:
    """Why a transaction made nothing. ``position``: of the change that is to blame, or ``UNKNOWN``."""

    status: int
    code: str
    position: int
    text: str


def content_type(boundary: str) -> str:
    """The header that goes with a body of :func:`encoded`."""
    return f"multipart/mixed; boundary={boundary}"


def encoded(changes: Sequence[Change], table_url: str) -> tuple[str, bytes]:
    """The boundary and the body of the request. ``table_url``: the table's address, without a query."""
    batch, changeset = f"batch_{secrets.token_hex(16)}", f"changeset_{secrets.token_hex(16)}"
    parts = "".join(
        f"--{changeset}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: {position}\r\n\r\n{_request(change, table_url)}\r\n"
        for position, change in enumerate(changes)
    )
    head = f"--{batch}\r\nContent-Type: {content_type(changeset)}\r\n\r\n"
    return batch, f"{head}{parts}--{changeset}--\r\n--{batch}--\r\n".encode("ascii")


def refusal(status: int, answer: str) -> RefusedTransaction | None:
    """What the answer says went wrong; None when all changes were made.

    An accepted request (202) answers with one part per change, or with only the one that failed.
    """
    failed = status if status >= 400 else None
    at = 0
    if failed is None:
        for part in _STATUS.finditer(answer):
            if int(part[1]) >= 400:
                failed, at = int(part[1]), part.end()
                break
    if failed is None:
        return None
    code, text = _error(answer[at:])
    position = _POSITION.match(text)
    return RefusedTransaction(failed, code, int(position[1]) if position else UNKNOWN, text)


def made(answer: str) -> int:
    """How many changes the answer says were made."""
    return sum(int(part[1]) < 400 for part in _STATUS.finditer(answer))


def _request(change: Change, table_url: str) -> str:
    row = change.row
    if isinstance(change, Insert):
        return _message(f"POST {table_url}", _entity(row), "Prefer: return-no-content\r\n")
    address = f"{table_url}(PartitionKey='{_quoted(row.partition)}',RowKey='{_quoted(row.key)}')"
    unchanged = f"If-Match: {row.etag or '*'}\r\n"
    if isinstance(change, Delete):
        return _message(f"DELETE {address}", "", unchanged)
    return _message(f"PATCH {address}", _entity(row), unchanged)


def _message(line: str, body: str, headers: str) -> str:
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    accept = "Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n"
    return f"{line} HTTP/1.1\r\n{kind}{accept}{headers}\r\n{body}"


def _entity(row: Row) -> str:
    # Texts, booleans and small numbers are what the service takes JSON's own for, so no column needs its type said.
    return json.dumps({"PartitionKey": row.partition, "RowKey": row.key} | row.values)


def _quoted(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def _error(answer: str) -> tuple[str, str]:
    start = answer.find("{")
    try:
        error: Any = json.JSONDecoder().raw_decode(answer[start:])[0]["odata.error"]
        return str(error["code"]), str(error["message"]["value"])
    except (ValueError, KeyError, TypeError):
        return "", answer[:200]
