"""Call the function of an HTTP operation: its signature says which parts of the request it gets; its answer is sent.

A function may name ``services``, ``client``, its path parameters, ``query`` and ``body`` (models that validate them;
without ``query`` no parameters are allowed), ``idempotency_key``, ``actor`` (who asks), and ``key_name``
(that of the key which asks). A function that is no
coroutine runs in a thread. One that names ``accept`` may answer with a :class:`Page` where the request prefers one.
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
from shared.decisions.access.roles import Role
from shared.messages import Actor

if TYPE_CHECKING:
    from pydantic import BaseModel

View = TypeVar("View")

_PAGE_HEADERS = {"X-Content-Type-Options": "nosniff", "Vary": "Accept"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[View]):
    """An answer about a resource with its own address; ``begun``: work on it starts now, so the status is 202."""

    view: View
    location: str | None
    begun: bool


@dataclass(frozen=True, slots=True)
class Page:
    """An answer in HTML, and its content security policy."""

    html: bytes
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """An operation's function and what its signature says. ``answers``: HTTP status to the models of its answer."""

    function: Callable[..., Any]
    takes: frozenset[str]
    query: "type[BaseModel] | None"
    body: "type[BaseModel] | None"
    answers: Mapping[int, tuple[type[Any], ...]]

    @property
    def idempotent(self) -> bool:
        """Whether it takes an Idempotency-Key."""
        return "idempotency_key" in self.takes


def handler_of(operation: Operation) -> Handler:
    """The operation's function, imported on first use."""
    return _handler(operation.module, operation.name)


async def respond(
    operation: Operation, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient | None
) -> func.HttpResponse:
    """The operation's HTTP answer; raises errors for :func:`function_app.problems.answers_problems` to convert."""
    found = await call(operation, req, services, client)
    if isinstance(found, Page):
        sent = {**_PAGE_HEADERS, "Content-Security-Policy": found.policy}
        return func.HttpResponse(found.html, mimetype="text/html", charset="utf-8", headers=sent)
    if not isinstance(found, Located):
        return answer(found)
    headers = {"Location": found.location} if found.location else None
    return answer(found.view, status=202 if found.begun else 200, headers=headers)


async def call(
    operation: Operation, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient | None
) -> Any:
    """Parse the request into the arguments of the operation's function, and call it, if who asks may.

    Every request to the API leads through here; nothing of it is read before. Forms of the page come by
    ``function_app.page.acting``, which holds the same role against who sends them.
    """
    if operation.role is not None:
        await asyncio.to_thread(_permit, operation, operation.role, req, services)
    handler = handler_of(operation)
    given: dict[str, Any] = {"services": services, "client": client, **req.route_params}
    given["accept"] = req.headers.get("Accept") or ""
    if operation.keyed:
        given |= _read(handler, req)
    if "actor" in handler.takes:
        given["actor"] = await asyncio.to_thread(_actor, req, services, given["body"])
    if "key_name" in handler.takes:
        given["key_name"] = await asyncio.to_thread(_key_name, req, services)
    return await run(handler, given)


async def run(handler: Handler, given: Mapping[str, Any]) -> Any:
    """Call the function with what it takes of what is given; who asks was held against its role before."""
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


def _permit(operation: Operation, needed: Role, req: func.HttpRequest, services: Services) -> None:
    from function_app.api.permissions import permit

    permit(operation.name, needed, req, services.access)


def _actor(req: func.HttpRequest, services: Services, body: Any) -> Actor:
    from function_app.api.actors import actor_of

    return actor_of(req, services.access, said=body.by or "")


def _key_name(req: func.HttpRequest, services: Services) -> str | None:
    from function_app.api.actors import asking_key

    return asking_key(req, services.access)


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
    kinds = tuple(kind for kind in kinds if kind is not Page)
    located = tuple(get_args(kind)[0] for kind in kinds if get_origin(kind) is Located)
    shown = tuple(get_args(kind)[0] if get_origin(kind) is Located else kind for kind in kinds)
    return {200: shown} | ({202: located} if located else {})
