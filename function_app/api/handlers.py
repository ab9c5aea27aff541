"""From a row of the table to its function: what its signature names is read from the request, its answer is sent.

A function may name ``services``, ``client``, the parameters of its path, ``query`` and ``body`` (models that read
them; without ``query`` there are no parameters), and ``idempotency_key``. One that is not a coroutine gets a thread.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import azure.durable_functions as df
import azure.functions as func

from function_app.api.operations import Operation
from function_app.composition import Services
from function_app.problems import answer

if TYPE_CHECKING:
    from pydantic import BaseModel

View = TypeVar("View")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[View]):
    """An answer about something with an address of its own; ``begun``: it goes on from now, so the status is 202."""

    view: View
    location: str | None
    begun: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """The function of an operation, and what its signature says. ``answers``: status to the models it may have."""

    function: Callable[..., Any]
    takes: frozenset[str]
    query: "type[BaseModel] | None"
    body: "type[BaseModel] | None"
    answers: Mapping[int, tuple[type[Any], ...]]

    @property
    def idempotent(self) -> bool:
        """Whether a repeat with the same Idempotency-Key is the same request."""
        return "idempotency_key" in self.takes


def handler_of(operation: Operation) -> Handler:
    """The operation's function, imported when it is first asked for."""
    return _handler(operation.module, operation.name)


async def respond(
    operation: Operation, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient | None
) -> func.HttpResponse:
    """What the operation answers; raises what :func:`function_app.problems.answers_problems` turns into a problem."""
    found = await call(operation, req, services, client)
    if not isinstance(found, Located):
        return answer(found)
    headers = {"Location": found.location} if found.location else None
    return answer(found.view, status=202 if found.begun else 200, headers=headers)


async def call(
    operation: Operation, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient | None
) -> Any:
    """Read the request as the operation's function wants it, and call it."""
    handler = handler_of(operation)
    given: dict[str, Any] = {"services": services, "client": client, **req.route_params}
    if operation.keyed:
        given |= _read(handler, req)
    wanted = {name: given[name] for name in handler.takes}
    if inspect.iscoroutinefunction(handler.function):
        return await handler.function(**wanted)
    return await asyncio.to_thread(handler.function, **wanted)


def _read(handler: Handler, req: func.HttpRequest) -> dict[str, Any]:
    from function_app.api.models import NothingAsked
    from function_app.api.reading import body_of, idempotency_key_of, query_of

    return {
        "query": query_of(handler.query or NothingAsked, req.params),
        "body": body_of(handler.body, req.get_body()) if handler.body else None,
        "idempotency_key": idempotency_key_of(req) if handler.idempotent else None,
    }


@cache
def _handler(module: str, name: str) -> Handler:
    function = getattr(import_module(f"function_app.api.{module}"), name)
    hints = get_type_hints(function)
    return Handler(
        function=function,
        takes=frozenset(inspect.signature(function).parameters),
        query=hints.get("query"),
        body=hints.get("body"),
        answers=_answers(hints["return"]),
    )


def _answers(returned: Any) -> dict[int, tuple[type[Any], ...]]:
    kinds = get_args(returned) if get_origin(returned) in {Union, UnionType} else (returned,)
    located = tuple(get_args(kind)[0] for kind in kinds if get_origin(kind) is Located)
    shown = tuple(get_args(kind)[0] if get_origin(kind) is Located else kind for kind in kinds)
    return {200: shown} | ({202: located} if located else {})
