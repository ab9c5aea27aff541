"""What an Azure Stack Hub's blob storage refuses that Azure's takes: protocol versions newer than it knows.

The replies have the form Azure Storage gives them ("Status and error codes" in its REST reference):
``InvalidHeaderValue`` names the header and its value; a SAS of an unknown version fails authentication, with a detail
that speaks of ``sv``.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape

NEWEST = "2019-07-07"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply of the storage service."""

    status: int
    code: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)

    def headers(self, request_id: str) -> dict[str, str]:
        """The headers that carry the error; a HEAD request gets only these."""
        return {"x-ms-error-code": self.code, "x-ms-request-id": request_id, "x-ms-version": NEWEST}

    def body(self, request_id: str, now: datetime) -> str:
        """The error document."""
        text = f"{self.message}\nRequestId:{request_id}\nTime:{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        details = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in self.details.items())
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            f"<Error><Code>{self.code}</Code><Message>{escape(text)}</Message>{details}</Error>"
        )


def new_request_id() -> str:
    """An id as the service gives every request."""
    return str(uuid.uuid4())


def refusal(headers: Mapping[str, str], query: Mapping[str, str], newest: str = NEWEST) -> Refusal | None:
    """Why a hub that knows no version after ``newest`` would not take this request; ``None`` when it would."""
    version = headers.get("x-ms-version")
    if version is not None and not _known(version, newest):
        return Refusal(
            400,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format.",
            {"HeaderName": "x-ms-version", "HeaderValue": version},
        )
    signed = query.get("sv")
    if signed is not None and "sig" in query and not _known(signed, newest):
        return Refusal(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. "
            "Make sure the value of Authorization header is formed correctly including the signature.",
            {
                "AuthenticationErrorDetail": (
                    "sv is either not in the correct format or is not equal or later than version 2012-02-12"
                )
            },
        )
    return None


def _known(version: str, newest: str) -> bool:
    # Versions are dates, and dates in this form sort as text.
    return _VERSION.fullmatch(version) is not None and version <= newest
