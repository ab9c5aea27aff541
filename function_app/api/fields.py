"""Kinds of fields in requests: how a text from outside is read, and what the API's description says of it."""

import re
from datetime import UTC, datetime, time
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

LONGEST_BLOB: Final = 1024  # characters of a blob's name, as the service allows
LONGEST_KEY: Final = 255

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)


def _whole_number(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,6}", value):
        raise ValueError("must be a whole number")
    return int(value)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError(
            "must be a time as in RFC 3339, such as 2026-05-01T10:00:00Z, or a day, such as 2026-05-01"
            " (a + before the offset is written %2B in an address)"
        )
    try:
        # Python knows no leap second, and neither do the times that it is compared with.
        found = datetime.fromisoformat(re.sub(r":60(?=[.Zz+-])", ":59", value).upper())
        return found.astimezone(UTC) if found.tzinfo else datetime.combine(found, time.min, UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no day or time that exists") from None


Limit = Annotated[
    int,
    Field(ge=1, le=500, description="how many the answer holds at most"),
    BeforeValidator(_whole_number),
]
Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
            "description": "a time as in RFC 3339, or a day in UTC",
        }
    ),
]
Continuation = Annotated[
    str, Field(min_length=1, max_length=400, description="the token of an answer, to get what comes after it")
]
BlobName = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_BLOB, description="the blob's name in its container, with its folders"),
]
PipelineName = Annotated[str, Field(min_length=1, max_length=200, description="the pipeline's name")]
