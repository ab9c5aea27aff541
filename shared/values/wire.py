"""Dataclass to plain JSON and back: the only module that knows the format.

Timestamps are RFC 3339 in UTC; enums are their values; unknown fields are ignored, so that an older app reads what a
newer one wrote, and a missing field takes its default.
"""

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Message = TypeVar("Message")


_ADAPTERS: dict[type[Any], "TypeAdapter[Any]"] = {}


def _adapter(kind: type[Any]) -> "TypeAdapter[Any]":
    if kind not in _ADAPTERS:
        from pydantic import TypeAdapter  # a tenth of a second that the start of the app does not wait for

        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_wire(message: object) -> Any:
    """The JSON value (dicts, lists, strings, numbers) of a boundary dataclass."""
    return _adapter(type(message)).dump_python(message, mode="json")


def from_wire(kind: type[Message], value: Any) -> Message:
    """The message that ``value`` stands for; raises ``ValueError`` naming the bad field."""
    return from_text(kind, json.dumps(value))


def from_text(kind: type[Message], text: str) -> Message:
    """The message that a JSON text stands for; raises ``ValueError`` naming the bad field."""
    from pydantic import ValidationError

    try:
        message: Message = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        raise ValueError(f"{kind.__name__}: field {where}: {first['msg']}") from error
    return message


def to_text(message: object) -> str:
    """The compact JSON text of a message, with sorted keys."""
    return json.dumps(to_wire(message), sort_keys=True, separators=(",", ":"))


def to_line(message: object) -> str:
    """One line of JSON with the fields in their own order, for rows; several times quicker than the canonical text."""
    return _adapter(type(message)).dump_json(message).decode("utf-8")
