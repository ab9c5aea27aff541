"""Answers and errors in the shapes of the services."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

WS = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.MachineLearningServices/workspaces/{ws}"


# What the data-plane services name as the codes of their errors; whatever is more exact stands in an inner error.
_CODES = ("ServiceError", "UserError", "ValidationError", "AzureStorageError", "TransientError", "RequestThrottled")
_FREE = (
    "/subscriptions",
    "/rp/",
    "/adfs/",
    "/metadata/",
    "/_",
)  # Azure Resource Manager's, and those that are no service


_BLOBS = "/blobs/"


class ServiceError(Exception):
    """Becomes the error envelope of the service that answers a path."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self, path: str = "/_") -> web.Response:
        """The service's answer. ``details`` must be a list: the client's ``str()`` of the error fails without."""
        if path.startswith(_BLOBS):
            return _blob_error(self.status, self.code, str(self))
        body: dict[str, Any] = {"code": self.code, "message": str(self), "details": []}
        if path.startswith("/modelmanagement"):
            return web.json_response(body | {"statusCode": self.status}, status=self.status)
        if not path.startswith(_FREE) and self.code not in _CODES:
            body |= {"code": self._general(), "innerError": {"code": self.code, "innerError": None}}
        return web.json_response({"error": body}, status=self.status)

    def _general(self) -> str:
        if self.status == 429:
            return "RequestThrottled"
        return "ServiceError" if self.status >= 500 else "UserError"


def _blob_error(status: int, code: str, message: str) -> web.Response:
    """Blob storage speaks XML, and repeats the code in a header, which is all that an answer to HEAD has."""
    request_id = str(uuid.uuid4())
    text = f"{message}\nRequestId:{request_id}\nTime:{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>'
    headers = {"x-ms-error-code": code, "x-ms-request-id": request_id}
    return web.Response(status=status, headers=headers, body=body.encode(), content_type="application/xml")


async def body_of(request: web.Request) -> Any:
    """The JSON body, whatever the content type says; generated clients send a patch type for plain JSON."""
    text = await request.text()
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        raise ServiceError(400, "BadArgument", "the body is not JSON") from None
