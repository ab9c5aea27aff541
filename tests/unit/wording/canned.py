"""Canned answers for errors of clients: no sockets."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from shared.errors import EdgetrainError, PermanentError


def error_of(call: Callable[[], object]) -> str:
    """The text of our error, and whether it is transient."""
    with pytest.raises(EdgetrainError) as raised:
        call()
    return f"({'permanent' if isinstance(raised.value, PermanentError) else 'transient'}) {raised.value}"


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise error

    return call


def an_answer(status: int, body: object = b"", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.raw = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    response.headers.update({"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()})
    return response
