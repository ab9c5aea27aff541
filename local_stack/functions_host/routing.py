"""Routes as ASP.NET matches them, which is what callers of the real host see.

Literals ignore case, ``{name}`` takes one segment, ``{name?}`` may be absent at the end, ``{name:int}`` restricts,
``{*rest}`` takes what is left. The most specific template wins. A wrong method is 404, not 405: the real host matches
the method together with the path.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from local_stack.functions_host.keys import ANYONE, Access

RouteValues = dict[str, str]
Handler = Callable[[web.Request, RouteValues], Awaitable[web.StreamResponse]]

_PARAMETER: Final = re.compile(r"\{(?P<star>\*{0,2})(?P<name>\w+)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}")
_GUID: Final = r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_CONSTRAINTS: Final = {"int": r"-?\d+", "long": r"-?\d+", "guid": _GUID, "alpha": r"[A-Za-z]+"}
_LITERAL, _CONSTRAINED, _PLAIN, _REST = range(4)


class RouteError(Exception):
    """A route template uses something this host does not know."""


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    text: str
    """The literal, or the parameter's name."""
    pattern: re.Pattern[str] | None = None
    optional: bool = False


class RouteTemplate:
    """One parsed template, such as ``runs/{id:int}/stages/{stage?}``. Raises :class:`RouteError`."""

    def __init__(self, template: str) -> None:
        self._segments = [_parse(part) for part in template.strip("/").split("/") if part]
        if any(segment.kind == _REST for segment in self._segments[:-1]):
            raise RouteError(f"a catch-all parameter must be the last segment: {template!r}")
        if any(
            early.optional and not late.optional
            for early, late in zip(self._segments, self._segments[1:], strict=False)
        ):
            raise RouteError(f"only the end of a route may be optional: {template!r}")

    @property
    def rank(self) -> tuple[int, ...]:
        """Sort key: the more specific template first; of two that begin alike, the one that ends."""
        return tuple(segment.kind for segment in self._segments)

    def match(self, raw_path: str) -> RouteValues | None:
        """The route values if the (still percent-encoded) path fits, else ``None``."""
        parts = [unquote(part) for part in raw_path.strip("/").split("/")] if raw_path.strip("/") else []
        values: RouteValues = {}
        for position, segment in enumerate(self._segments):
            if segment.kind == _REST:
                values[segment.text] = "/".join(parts[position:])
                return values
            if position >= len(parts):
                if segment.optional:
                    continue
                return None
            if not _accepts(segment, parts[position]):
                return None
            if segment.kind != _LITERAL:
                values[segment.text] = parts[position]
        return values if len(parts) <= len(self._segments) else None


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: methods (``None``: all), template, guard, handler."""

    methods: frozenset[str] | None
    template: RouteTemplate
    access: Access
    handler: Handler


class RouteTable:
    """All endpoints of one listener."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(
        self, method: str | frozenset[str] | None, template: str, handler: Handler, access: Access = ANYONE
    ) -> None:
        """Add an endpoint for one method, several, or (``None``) all. Raises :class:`RouteError`."""
        methods = frozenset({method}) if isinstance(method, str) else method
        self._routes.append(Route(methods, RouteTemplate(template), access, handler))
        self._routes.sort(key=lambda route: route.template.rank)

    def find(self, method: str, raw_path: str) -> tuple[Route, RouteValues] | None:
        """The most specific endpoint for this request with its route values."""
        for route in self._routes:
            if route.methods is not None and method not in route.methods:
                continue
            values = route.template.match(raw_path)
            if values is not None:
                return route, values
        return None


def _parse(part: str) -> _Segment:
    match = _PARAMETER.fullmatch(part)
    if match is None:
        if "{" in part:
            raise RouteError(f"a parameter must fill its whole segment: {part!r}")
        return _Segment(_LITERAL, part.lower())
    if match["star"]:
        return _Segment(_REST, match["name"], optional=True)
    constraint = match["constraint"]
    if constraint is None:
        return _Segment(_PLAIN, match["name"], optional=bool(match["optional"]))
    if constraint not in _CONSTRAINTS:
        raise RouteError(f"unknown route constraint {constraint!r}")
    return _Segment(_CONSTRAINED, match["name"], re.compile(_CONSTRAINTS[constraint]), optional=bool(match["optional"]))


def _accepts(segment: _Segment, part: str) -> bool:
    if segment.kind == _LITERAL:
        return part.lower() == segment.text
    if not part:
        return False
    return segment.pattern is None or segment.pattern.fullmatch(part) is not None
