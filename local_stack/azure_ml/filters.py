"""The query language of the history service, as far as the SDK writes it for tags, properties and run types."""

import re
from collections.abc import Callable
from typing import Any

from local_stack.azure_ml.answers import ServiceError

Run = dict[str, Any]
Predicate = Callable[[Run], bool]

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
            inner = self.either()
            if not self._take(")"):
                raise _unknown(")")
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
    wanted: str | None = None if value == "null" else value.strip('"')
    equal = operator == "eq"
    return lambda run: (_value(run, field) == wanted) is equal


def _value(run: Run, field: str) -> str | None:
    group, _, key = field.partition("/")
    found = (run.get(group.lower()) or {}).get(key) if key else run.get(field[0].lower() + field[1:])
    return None if found is None else str(found)


def _unknown(text: str) -> ServiceError:
    return ServiceError(400, "InvalidFilter", f"this stand-in does not understand the filter {text!r}")
