"""Request/response operations: ``$cbs`` takes clients' tokens, ``ENTITY/$management`` works on a queue.

The two dialects name their status fields differently. Unsupported operations answer 501.
"""

import uuid
from collections.abc import Callable
from typing import Final

from local_stack.service_bus.amqp_types import Array, CodecError, Int, Symbol, Timestamp, Value
from local_stack.service_bus.messages import Sections, on_delivery, reply_to
from local_stack.service_bus.queues import LockLostError, NotAllowedError, Queue
from local_stack.service_bus.tokens import AccessKey, UnauthorizedError

CBS: Final = "$cbs"
MANAGEMENT: Final = "$management"
LOCK_LOST: Final = "com.microsoft:message-lock-lost"

_Body = dict[Value, Value]
_MOST_PEEKED: Final = 250


def put_token(request: Sections, key: AccessKey, now: float) -> tuple[str | None, bytes]:
    """Check a token; gives the path it opens, ``None`` when it opens nothing, and the answer."""
    if request.application.get("operation") != "put-token" or not isinstance(request.value, str):
        return None, _token_reply(request, 400, "Only put-token with a token is served.")
    try:
        opened = key.admit(request.value, str(request.application.get("name", "")), now)
        return opened, _token_reply(request, 202, "Accepted")
    except UnauthorizedError as error:
        return None, _token_reply(request, 401, str(error))


def _token_reply(request: Sections, status: int, text: str) -> bytes:
    return reply_to(request, {"status-code": Int(status), "status-description": text}, None)


def manage(request: Sections, queue: Queue) -> bytes:
    """Do one management operation and give the answer to it."""
    operation = str(request.application.get("operation", "")).removeprefix("com.microsoft:")
    body = request.value if isinstance(request.value, dict) else {}
    work = _OPERATIONS.get(operation)
    if work is None:
        return _reply(request, 501, f"{operation or 'nothing'} is not served", "amqp:not-implemented")
    try:
        answer = work(queue, body)
    except LockLostError as error:
        return _reply(request, 410, str(error), LOCK_LOST)
    except (CodecError, NotAllowedError) as error:
        return _reply(request, 400, str(error), "com.microsoft:argument-error")
    return _reply(request, 200 if answer is not None else 204, "OK", value=answer)


def _reply(request: Sections, status: int, text: str, condition: str = "", value: Value = None) -> bytes:
    application: _Body = {"statusCode": Int(status), "statusDescription": text}
    if condition:
        application["errorCondition"] = Symbol(condition)
    return reply_to(request, application, value)


def _renew(queue: Queue, body: _Body) -> _Body:
    ends = [Timestamp(round(queue.renew(token) * 1000)) for token in _tokens(body)]
    return {"expirations": Array(Timestamp, tuple(ends))}


def _peek(queue: Queue, body: _Body) -> _Body | None:
    first, count = body.get("from-sequence-number", 0), body.get("message-count", 1)
    if not isinstance(first, int) or not isinstance(count, int):
        raise CodecError("from-sequence-number and message-count must be numbers")
    found = queue.peek(first, min(count, _MOST_PEEKED))
    return {"messages": [{"message": on_delivery(message)} for message in found]} if found else None


def _settle(queue: Queue, body: _Body) -> _Body:
    """The way to settle for a client whose link has gone."""
    status = body.get("disposition-status")
    for token in _tokens(body):
        match status:
            case "completed":
                queue.complete(token)
            case "abandoned":
                queue.abandon(token)
            case "suspended":
                reason, text = (body.get(f"deadletter-{name}") for name in ("reason", "description"))
                queue.dead_letter(token, str(reason or ""), str(text or ""))
            case _:
                raise CodecError(f"disposition-status {status!r} is not served")
    return {}


def _tokens(body: _Body) -> list[uuid.UUID]:
    given = body.get("lock-tokens")
    items = given.items if isinstance(given, Array) else ()
    tokens = [item for item in items if isinstance(item, uuid.UUID)]
    if not tokens:
        raise CodecError("lock-tokens must be an array of uuids")
    return tokens


_OPERATIONS: Final[dict[str, Callable[[Queue, _Body], _Body | None]]] = {
    "renew-lock": _renew,
    "peek-message": _peek,
    "update-disposition": _settle,
}
