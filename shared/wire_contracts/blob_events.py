"""From a ``Microsoft.Storage.BlobCreated`` event to an :class:`Arrival`. Pure.

Takes the Event Grid schema and CloudEvents alike, as a mapping of their plain fields.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from shared.errors import Code, PermanentError
from shared.messages import Arrival
from shared.values.moments import moment_from

BLOB_CREATED = "Microsoft.Storage.BlobCreated"

_SUBJECT = re.compile(r"^/blobServices/default/containers/(?P<container>[^/]+)/blobs/(?P<blob>.+)$", re.DOTALL)
_ACCOUNT = re.compile(r"/storageAccounts/(?P<name>[\w-]{1,63})(?:/|$)", re.IGNORECASE)
_NAME = re.compile(r"^[\w-]{1,63}$")
_LONGEST_NAME = 1024  # characters of a blob's name, as the service allows
_LONGEST_TEXT = 256
_LARGEST_BLOB = 2**60  # bytes; far more than the service can store


def arrival_from(event: Mapping[str, Any], *, received_at: datetime) -> Arrival:
    """The arrival that an event tells of; raises :class:`PermanentError` (bad request) naming the bad field."""
    kind = _text(event, "type", "eventType")
    if kind != BLOB_CREATED:
        raise _bad("type", f"is {kind!r}, but only {BLOB_CREATED} is understood")
    container, blob = _place(event)
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise _bad("data", "must be an object")
    return Arrival(
        event_id=_text(event, "id"),
        account=_account(event, data),
        container=container,
        blob=blob,
        etag=_optional(data, "eTag").strip('"'),
        size=_size(data),
        occurred_at=_time(event),
        received_at=received_at,
        api=_optional(data, "api"),
    )


def _place(event: Mapping[str, Any]) -> tuple[str, str]:
    found = _SUBJECT.match(_text(event, "subject", longest=_LONGEST_NAME + 200))
    if found is None:
        raise _bad("subject", "must be /blobServices/default/containers/<container>/blobs/<name>")
    return found["container"], found["blob"]


def _account(event: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    for field in ("topic", "source"):
        found = _ACCOUNT.search(str(event.get(field) or ""))
        if found is not None:
            return found["name"]
    url = data.get("url")
    if not isinstance(url, str):
        raise _bad("data.url", "must be the blob's address, since no storage account is named in topic or source")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise _bad("data.url", "is not an address") from None
    # A hub or an emulator that is addressed by IP or a bare name puts the account first in the path.
    in_path = "." not in host or host.replace(".", "").isdigit()
    name = parts.path.lstrip("/").partition("/")[0] if in_path else host.partition(".")[0]
    if not host or not _NAME.match(name):
        raise _bad("data.url", "names no storage account")
    return name


def _time(event: Mapping[str, Any]) -> datetime:
    value = event.get("time", event.get("eventTime"))
    if isinstance(value, str):
        try:
            value = moment_from(value)
        except ValueError:
            raise _bad("time", "is no time that exists, in the years 1 to 9999") from None
        if value is None:
            raise _bad("time", "must be a time as in RFC 3339, such as 2026-05-01T10:00:00Z")
    if not isinstance(value, datetime):
        raise _bad("time", "is missing")
    return _in_utc(value)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise _bad("time", "is outside the years 1 to 9999") from None


def _size(data: Mapping[str, Any]) -> int:
    value = data.get("contentLength", -1)
    if type(value) is int and -1 <= value <= _LARGEST_BLOB:
        return value
    raise _bad("data.contentLength", "must be a number of bytes")


def _text(event: Mapping[str, Any], *fields: str, longest: int = _LONGEST_TEXT) -> str:
    value = next((event[field] for field in fields if event.get(field)), None)
    if not isinstance(value, str) or not value.strip():
        raise _bad(fields[0], "is missing or not a text")
    return _checked(fields[0], value, longest)


def _optional(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field) or ""
    if not isinstance(value, str):
        raise _bad(f"data.{field}", "must be a text")
    return _checked(f"data.{field}", value, _LONGEST_TEXT)


def _checked(field: str, value: str, longest: int) -> str:
    if len(value) > longest:
        raise _bad(field, f"is longer than {longest} characters")
    if not value.isascii() and value.encode("utf-8", "replace").decode("utf-8") != value:
        raise _bad(field, "holds half a character")  # JSON allows a lone surrogate, nothing after us does
    return value


def _bad(field: str, trouble: str) -> PermanentError:
    return PermanentError(f"event: {field} {trouble}", code=Code.BAD_REQUEST)
