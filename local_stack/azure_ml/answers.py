"""Answers and errors in the shapes of the services."""

import json
from typing import Any

from aiohttp import web

WS = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.MachineLearningServices/workspaces/{ws}"


class ServiceError(Exception):
    """Becomes the error envelope; model management expects a flat one."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self, *, flat: bool = False) -> web.Response:
        """The service's answer. ``details`` must be a list: the client's ``str()`` of the error fails without."""
        if flat:
            body: dict[str, Any] = {"code": self.code, "statusCode": self.status, "message": str(self)}
        else:
            body = {"error": {"code": self.code, "message": str(self), "details": []}}
        return web.json_response(body, status=self.status)


async def body_of(request: web.Request) -> Any:
    """The JSON body, whatever the content type says; generated clients send a patch type for plain JSON."""
    text = await request.text()
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        raise ServiceError(400, "BadArgument", "the body is not JSON") from None
