"""Errors as people get them: ``application/problem+json`` (RFC 9457) with a sentence that names the remedy."""

import json
from typing import Any

import azure.functions as func

from shared.errors import Code, PermanentError, TransientError

_STATUS = {
    Code.UNKNOWN_PIPELINE: 404,
    Code.BAD_PIPELINE: 409,
    Code.BAD_REQUEST: 400,
    Code.NO_DATA: 409,
    Code.BAD_CONFIGURATION: 500,
}


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """A JSON answer."""
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json", headers=headers)


def problem(status: int, code: str, detail: str) -> func.HttpResponse:
    """A problem document; ``code`` is stable, ``detail`` is for people."""
    body = {"type": f"urn:edgetrain:{code}", "title": code.replace("_", " "), "status": status, "detail": detail}
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/problem+json")


def problem_of(error: PermanentError | TransientError) -> func.HttpResponse:
    """The problem document of one of our errors; transient ones are 503, so that clients try again."""
    if isinstance(error, PermanentError):
        return problem(_STATUS.get(error.code, 422), error.code.value, error.reason)
    return problem(503, "try_again_later", str(error))
