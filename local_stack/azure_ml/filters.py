"""The query language of the history service, as far as the SDK writes it for tags, properties and run types.

The SDK asks for runs that have a tag, whatever its value, by ``(Tags/x ne null or Tags/x eq null)``. So a comparison
with a tag or a property that a run does not have is false, either way.
"""

import re
from collections.abc import Callable
from typing import Any

from local_stack.azure_ml.answers import ServiceError

Run = dict[str, Any]
Predicate = Callable[[Run], bool]

_DEEPEST = 20  # nested parentheses; the SDK writes two
_GROUPS = frozenset({"tags", "properties"})
_TOKEN = re.compile(r'\s*(\(|\)|and\b|or\b|[\w./-]+\s+(?:eq|ne)\s+(?:"[^"]*"|[\w.-]+))')


def predicate(text: str | None) -> Predicate:
    """The filter that ``text`` stands for; raises 400 for what is not understood instead of matching all."""
    if not text:
        return lambda _: True
    parser = _Parser(_tokens(text))
    found = parser.either()
    if parser.rest:
        raise _unknown(text)
    return found


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unknown(text)
        tokens.append(match.group(1))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens
        self._depth = 0

    def either(self) -> Predicate:
        parts = [self.both()]
        while self._take("or"):
            parts.append(self.both())
        return lambda run: any(part(run) for part in parts)

    def both(self) -> Predicate:
        parts = [self.one()]
        while self._take("and"):
            parts.append(self.one())
        return lambda run: all(part(run) for part in parts)

    def one(self) -> Predicate:
        if self._take("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _unknown("(" * self._depth)
            inner = self.either()
            if not self._take(")"):
                raise _unknown(")")
            self._depth -= 1
            return inner
        if not self.rest:
            raise _unknown("end")
        return _comparison(self.rest.pop(0))

    def _take(self, token: str) -> bool:
        if self.rest and self.rest[0] == token:
            self.rest.pop(0)
            return True
        return False


def _comparison(text: str) -> Predicate:
    try:
        field, operator, value = text.split(None, 2)
    except ValueError:
        raise _unknown(text) from None
    wanted = None if value == "null" else value.strip('"')
    equal = operator == "eq"
    group, _, key = field.partition("/")
    if key:
        name = group.lower()
        if name not in _GROUPS:
            raise _unknown(text)
        return lambda run: key in run[name] and (_text(run[name][key]) == wanted) is equal
    name = field[0].lower() + field[1:]
    return lambda run: (_text(run.get(name)) == wanted) is equal


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _unknown(text: str) -> ServiceError:
    return ServiceError(400, "InvalidFilter", f"this stand-in does not understand the filter {text!r}")
