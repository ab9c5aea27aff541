"""Field types of HTTP requests: how a text is parsed, and its description in OpenAPI."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from shared.values.moments import moment_from

LONGEST_BLOB: Final = 1024  # the service's limit for the length of a blob's name, in characters
LONGEST_KEY: Final = 255

_DAY_OR_OFFSET = re.compile(r"\d{4}-\d\d-\d\d([Tt].*([Zz]|[+-]\d\d:\d\d))?", re.ASCII)


def _whole_number(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,6}", value):
        raise ValueError("must be a whole number")
    return int(value)


def _moment(value: object) -> datetime:
    try:
        found = moment_from(value) if isinstance(value, str) and _DAY_OR_OFFSET.fullmatch(value) else None
    except ValueError:
        raise ValueError("is a day or time that does not exist") from None
    if found is None:
        raise ValueError(
            "must be a time as in RFC 3339, such as 2026-05-01T10:00:00Z, or a day, such as 2026-05-01"
            " (a + before the offset is written %2B in an address)"
        )
    return found


Limit = Annotated[
    int,
    Field(ge=1, le=500, description="how many the answer holds at most"),
    BeforeValidator(_whole_number),
]
Weeks = Annotated[
    int,
    Field(ge=1, le=53, description="how many weeks until today"),
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
TargetName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,48}$", description="the serving target's name")]
SiteName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,48}$", description="the site's name")]
RunId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,100}$", description="the run's id")]
