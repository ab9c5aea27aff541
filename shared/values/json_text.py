"""Strict JSON parser for all input from outside: HTTP bodies, Service Bus messages and events.

Stricter than Python's: it refuses what other parsers may read differently: duplicate keys, ``NaN`` and the like,
numbers that no double can hold, lone surrogates.
"""

import json
import math
from typing import Any, Final

MOST_DEPTH: Final = 100  # depth of nested objects and lists
_MOST_DIGITS: Final = 400  # of a whole number; what is asked of a field decides on sensible ones
UTF8_MARK: Final = b"\xef\xbb\xbf"
_WIDE: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_LONGEST_NAME: Final = 100


class NotJsonError(ValueError):
    """The error in a text; ``field`` is its location, "" when it is no single field. The sentence names it then."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


def read_json(text: bytes | str) -> Any:
    """Parse a text; raises :class:`NotJsonError`. A UTF-8 byte order mark is accepted."""
    shown = _decoded(text) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    if not shown.strip(" \t\r\n"):
        raise NotJsonError("it is empty")
    try:
        document = json.loads(shown, object_pairs_hook=_object, parse_int=_int)
    except RecursionError:
        raise NotJsonError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    except NotJsonError:
        raise
    except ValueError as error:
        raise NotJsonError(str(error)) from None
    _check(document)
    return document


def _decoded(body: bytes) -> str:
    for mark, encoding in _WIDE.items():
        if body.startswith(mark):
            raise NotJsonError(f"it is in {encoding}; send UTF-8")
    body = body.removeprefix(UTF8_MARK)
    if len(body) > 1 and 0 in body[:2]:  # JSON begins with ASCII, of which UTF-16 makes every other byte zero
        raise NotJsonError("it is in UTF-16 or UTF-32; send UTF-8")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJsonError(f"byte {error.start + 1} is not UTF-8") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = _named(next(name for name in names if names.count(name) > 1))
        raise NotJsonError(f"the field {twice} stands in it twice; keep one of them", twice)
    return found


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise NotJsonError(f"a number has {len(text)} digits")
    return int(text)


def _check(document: Any) -> None:
    """Check without recursion for excessive depth and for values that only Python accepts."""
    waiting = [(document, "", 0)]
    while waiting:
        value, where, depth = waiting.pop()
        if isinstance(value, str) and not _is_whole(value):
            raise NotJsonError(f"{where or 'the text'} holds half a character (a lone surrogate)", where)
        if isinstance(value, float) and not math.isfinite(value):
            raise NotJsonError(f"{where or 'the number'} must be a finite number", where)
        inner = _inner(value, where)
        if inner and depth >= MOST_DEPTH:
            raise NotJsonError(f"it is nested deeper than {MOST_DEPTH} levels", where[:_LONGEST_NAME])
        waiting += [(item, name, depth + 1) for item, name in inner]


def _inner(value: Any, where: str) -> list[tuple[Any, str]]:
    if isinstance(value, list):
        return [(item, where) for item in value]
    if not isinstance(value, dict):
        return []
    for name in value:
        if not _is_whole(name):
            raise NotJsonError(f"the name {_named(name)} holds half a character (a lone surrogate)", where)
    return [(item, f"{where}.{_named(name)}"[-_LONGEST_NAME:].lstrip(".")) for name, item in value.items()]


def _is_whole(text: str) -> bool:
    return text.isascii() or text.encode("utf-8", "replace").decode("utf-8") == text


def _named(name: str) -> str:
    """A name from outside, made safe for a sentence."""
    return name if name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_NAME else ascii(name[:40])
