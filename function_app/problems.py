"""Error answers of the HTTP API: ``application/problem+json`` (RFC 9457), with a sentence that names the remedy."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import azure.functions as func

from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.values.texts import shortened
from shared.values.wire import to_wire

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
TRY_AGAIN_LATER = "try_again_later"
_LONGEST_DETAIL = 2000
Handler = Callable[..., Coroutine[Any, Any, func.HttpResponse]]

_STATUS = {
    Code.UNKNOWN_PIPELINE: 404,
    Code.BAD_PIPELINE: 409,
    Code.BAD_REQUEST: 400,
    Code.NO_DATA: 409,
    Code.UNREADABLE_NAMES: 409,
    Code.BAD_CONFIGURATION: 500,
    Code.PIPELINE_RETIRED: 409,
}


class BadFieldError(PermanentError):
    """A field, parameter or header of a request is wrong."""

    def __init__(self, reason: str, *, field: str | None) -> None:
        super().__init__(reason, code=Code.BAD_REQUEST)
        self.field = field


class RefusedError(EdgetrainError):
    """A request is refused with a status of its own; ``code`` is stable, ``field`` is the one that is wrong."""

    def __init__(self, status: int, code: str, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason, self.field = status, code, reason, field


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """A JSON answer, from a model or from a dict of plain JSON."""
    text = json.dumps(body if isinstance(body, dict) else to_wire(body))
    return func.HttpResponse(text, status_code=status, mimetype="application/json", headers=headers)


def problem(status: int, code: str, detail: str, *, field: str | None = None) -> func.HttpResponse:
    """A problem document; ``code`` is stable, ``detail`` is for people, ``field`` is the one that is wrong."""
    title = code.replace("_", " ")
    shown = shortened(detail, _LONGEST_DETAIL)
    where = None if field is None else shortened(field)
    body = {"type": f"urn:edgetrain:{code}", "title": title, "status": status, "detail": shown, "field": where}
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype=PROBLEM_TYPE)


def status_of_code(code: Code) -> int:
    """The HTTP status for a permanent error of this code."""
    return _STATUS.get(code, 422)


def problem_of(error: PermanentError | TransientError) -> func.HttpResponse:
    """The problem document of one of our errors; transient ones are 503, so that clients try again."""
    if isinstance(error, TransientError):
        return problem(503, TRY_AGAIN_LATER, f"{error}; send the request again later")
    field = error.field if isinstance(error, BadFieldError) else None
    return problem(status_of_code(error.code), error.code.value, error.reason, field=field)


def answers_problems(handler: Handler) -> Handler:
    """Turn our errors into problem documents; anything else into a 500 that shows no traceback."""

    @wraps(handler)
    async def guarded(*args: Any, **kwargs: Any) -> func.HttpResponse:
        try:
            return await handler(*args, **kwargs)
        except RefusedError as error:
            return problem(error.status, error.code, error.reason, field=error.field)
        except (PermanentError, TransientError) as error:
            return problem_of(error)
        except Exception:
            incident = uuid.uuid4().hex[:12]
            log.exception("incident %s", incident)
            return problem(500, "internal_error", f"the app failed; its log has the error under incident {incident}")

    return guarded
