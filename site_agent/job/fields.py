"""Strict reading of values from outside: JSON texts, and mappings whose every field is checked and named in errors."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

Value = TypeVar("Value")
Check = Callable[[Any], Value]
"""Returns the value as it is used; raises ``ValueError`` saying what it must be, without quoting it."""

Scalar = str | int | float | bool

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SIZE: Final = re.compile(r"([1-9][0-9]{0,11})([kmgt]?)")
_MISSING: Final = object()


class FieldError(ValueError):
    """A field that is missing, unknown or wrong. ``field``: its path, such as ``resources.memory``."""

    def __init__(self, field: str, trouble: str) -> None:
        super().__init__(f"{field} {trouble}" if field else trouble)
        self.field = field


def parse_json(text: str) -> Any:
    """The value of a JSON text; raises ``ValueError`` for NaN, infinity and names that stand twice."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


@dataclass
class Fields:
    """A mapping that is read field by field. ``path``: where it is, empty for the whole."""

    value: Any
    path: str = ""
    _asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.value, Mapping) or not all(isinstance(name, str) for name in self.value):
            raise FieldError(self.path, "must be an object with named fields")

    def get(self, name: str, check: Check[Value], default: Value | object = _MISSING) -> Value:
        """The checked value of a field; raises :class:`FieldError` when it is wrong, or missing without a default."""
        self._asked.add(name)
        if name not in self.value:
            if default is _MISSING:
                raise FieldError(self._at(name), "is missing")
            return cast(Value, default)
        return self._checked(name, check)

    def part(self, name: str, *, optional: bool = False) -> "Fields":
        """A field that is a mapping itself; an empty one when it is missing and optional."""
        self._asked.add(name)
        if name not in self.value:
            if not optional:
                raise FieldError(self._at(name), "is missing")
            return Fields({}, self._at(name))
        return Fields(self.value[name], self._at(name))

    def parts(self) -> Iterable[tuple[str, "Fields"]]:
        """Every field of a mapping whose names are free, as a mapping itself."""
        for name in self.value:
            yield name, self.part(name)

    def no_more(self) -> None:
        """Raises :class:`FieldError` for a field that nobody asked for."""
        unknown = sorted(self.value.keys() - self._asked)
        if unknown:
            known = ", ".join(sorted(self._asked))
            raise FieldError(self._at(unknown[0][:100]), f"is not known here; the fields are: {known}")

    def _checked(self, name: str, check: Check[Value]) -> Value:
        try:
            return check(self.value[name])
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(self._at(name), str(error)) from None

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def text(pattern: str | None = None, words: str = "", *, most: int = 500) -> Check[str]:
    """A text of 1 to ``most`` characters without control characters; ``words`` say what the pattern asks for."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not value or len(value) > most:
            raise ValueError(f"must be a text of 1 to {most} characters")
        if any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            raise ValueError("must have no control characters, and be valid Unicode")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise ValueError(f"must be {words}")
        return value

    return check


def whole(least: int, most: int) -> Check[int]:
    """A whole number in a range."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return check


def real(least: float, most: float) -> Check[float]:
    """A number in a range."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}")
        return float(value)

    return check


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def choice(*names: str) -> Check[str]:
    """One of a few words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"must be {' or '.join(names)}")
        return value

    return check


def size(value: Any) -> int:
    """Bytes, from a number or a text such as ``512m``, ``4g``."""
    if type(value) is int and 0 < value < 1 << 60:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a size such as 512m or 4g")
    return int(found[1]) * _UNITS[found[2]]


def shown_size(number: int) -> str:
    """Bytes as people write them: ``4g``, ``512m``, ``1000`` when no unit fits without a rest."""
    unit = next((name for name in "tgmk" if number and number % _UNITS[name] == 0), "")
    return f"{number // _UNITS[unit]}{unit}"


def list_of(check: Check[Value], *, most: int, least: int = 0) -> Check[tuple[Value, ...]]:
    """A list, each of whose values is checked."""

    def checked(value: Any) -> tuple[Value, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError(f"must be a list of {least} to {most} values")
        return tuple(check(each) for each in value)

    return checked


def scalar(value: Any) -> Scalar:
    """A text, a number, true or false."""
    if isinstance(value, str) and len(value) <= 8_000 and "\0" not in value:
        return value
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return value
    raise ValueError("must be a text without NUL, a finite number, true or false")


def or_none(check: Check[Value]) -> Check[Value | None]:
    """The same, or null."""
    return lambda value: None if value is None else check(value)
