"""Follows the instructions of a pickle with inert values: nothing is imported, called or made.

Sources: ``pickletools`` of Python 3.11; ``joblib.numpy_pickle`` 1.5, ``NumpyArrayWrapper``.
"""

import pickletools
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np

from site_agent.job.guard.pieces import Piece, Recognised, as_float, count_of
from site_agent.job.guard.spans import HeldBackError, Span

_ENCODE: Final = "_codecs.encode"
_WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_MOST_INSTRUCTIONS: Final = 20_000_000
# These make values of types that only look harmless in skops, where nothing is called by name.
_NOT_CALLED: Final = frozenset({"builtins.map", "builtins.type"})


@dataclass(slots=True, eq=False)
class _Global:
    name: str


@dataclass(slots=True, eq=False)
class _Made:
    """What an instruction would have made by calling ``by``."""

    by: Any
    args: Any = ()
    state: Any = None


class _Mark:
    pass


@dataclass(slots=True)
class Machine:
    """Follows the instructions of one file."""

    file: IO[bytes]
    span: Span
    allowed: Collection[str]
    found: Recognised
    values: list[float] = field(default_factory=list)
    instructions: int = 0

    def run(self) -> Any:
        """Follow the instructions until their end; raises :class:`HeldBackError`."""
        stack: list[Any] = []
        memo: dict[int, Any] = {}
        try:
            for opcode, argument, _ in pickletools.genops(self.file):
                self.instructions += 1
                if self.instructions > _MOST_INSTRUCTIONS:
                    raise HeldBackError("it has too many instructions")
                if opcode.name == "STOP":
                    return stack.pop()
                self.step(opcode.name, argument, stack, memo)
        except RecursionError:
            raise HeldBackError("its parts are nested too deeply") from None
        except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError, OverflowError, SyntaxError):
            raise HeldBackError("its instructions do not fit together") from None
        except ValueError:
            raise HeldBackError("it is cut, or not a pickle") from None
        raise HeldBackError("it is cut, or not a pickle")

    def step(self, name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
        """Follow one instruction."""
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _VALUES:
            stack.append(self.value(name, argument))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(self.reference(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            inner = stack.pop()
            stack.append(self.reference(stack.pop(), inner))
        elif name in _STEPS:
            _STEPS[name](self, stack)
        elif name not in ("PROTO", "FRAME"):
            raise HeldBackError(f"it has the instruction {name}, which a model does not need")

    def value(self, name: str, argument: Any) -> Any:
        """A literal; texts, numbers and bytes are what training rows could be in."""
        if isinstance(argument, bool):
            return argument
        if isinstance(argument, int | float):
            self.values.append(as_float(argument))
        elif isinstance(argument, str):
            self.found.strings.append(argument)
        elif isinstance(argument, bytes | bytearray) and len(argument) >= 8:
            # genops leaves the file behind the argument, where the bytes lie.
            start = self.file.tell() - len(argument)
            content = self.span.part(start, len(argument)) if name not in _ESCAPED else bytes(argument)
            piece = Piece("bytes", content)
            self.found.pieces.append(piece)
        return argument

    def reference(self, module: Any, name: Any) -> _Global:
        """A global that is on the list; raises :class:`HeldBackError` for others."""
        full = f"{module}.{name}"
        if not isinstance(module, str) or not isinstance(name, str) or full not in self.allowed:
            shown = full if re.fullmatch(r"[A-Za-z_][A-Za-z_.0-9]{0,99}", full) else "a global with an unusual name"
            raise HeldBackError(f"it refers to {shown}, which is not on the list of exact names")
        return _Global(full)

    def call(self, stack: list[Any]) -> None:
        """REDUCE, NEWOBJ: a call that is not made."""
        arguments = stack.pop()
        by = stack.pop()
        if not isinstance(by, _Global | _Made) or (isinstance(by, _Global) and by.name in _NOT_CALLED):
            raise HeldBackError("it calls what is not a type on the list")
        stack.append(_Made(by, arguments))
        if isinstance(by, _Global) and by.name == _ENCODE:
            self.encoded(arguments)

    def encoded(self, arguments: Any) -> None:
        """Bytes as pickles before the third protocol have them: a text in Latin-1."""
        text, codec = arguments
        if codec not in ("latin1", "latin-1") or not isinstance(text, str):
            raise HeldBackError("it has bytes in an encoding that pickles do not use")
        self.found.pieces.append(Piece("bytes", text.encode("latin-1")))

    def build(self, stack: list[Any]) -> None:
        """BUILD: give an object its state. joblib's wrappers are followed by the bytes of an array."""
        state = stack.pop()
        made = stack[-1]
        if not isinstance(made, _Made):
            raise HeldBackError("its instructions do not fit together")
        made.state = state
        if _is_by(made, _WRAPPER):
            stack[-1] = self.wrapped(state)
        elif _is_by(made, "numpy.ndarray") and isinstance(state, tuple):
            self.named_array(state)

    def named_array(self, state: tuple[Any, ...]) -> None:
        """The last bytes were those of an array whose shape and type are known."""
        _, shape, dtype, fortran, data = state
        is_bytes = isinstance(data, bytes) or (isinstance(data, _Made) and _is_by(data, _ENCODE))
        if is_bytes and self.found.pieces:
            last = self.found.pieces.pop()
            self.found.pieces.append(Piece("array", last.content, _simple(dtype), tuple(shape), bool(fortran)))

    def wrapped(self, state: dict[str, Any]) -> _Made:
        """The array that follows a wrapper of joblib in the file."""
        shape, dtype = tuple(state["shape"]), state["dtype"]
        if _kind(dtype) == "O":
            return _Made(self.run())
        padding = self.file.read(1)[0] if state.get("numpy_array_alignment_bytes") is not None else 0
        if self.file.read(padding).strip(b"\xff"):
            raise HeldBackError("it has bytes that belong to no array")
        length = _itemsize(dtype) * count_of(shape)
        start = self.file.tell()
        content = self.span.part(start, length)
        self.file.seek(start + length)
        self.found.pieces.append(Piece("array", content, _simple(dtype), shape, state["order"] == "F"))
        return _Made(None)


def _is_by(made: _Made, name: str) -> bool:
    """Whether an object is of a type, made by calling it, or by a helper that was given it."""
    candidates = [made.by, *(made.args if isinstance(made.args, tuple) else ())]
    return any(isinstance(each, _Global) and each.name == name for each in candidates)


def _type_text(dtype: Any) -> str:
    """What numpy calls a type: ``f8``, ``V64``, ``O8``."""
    if not isinstance(dtype, _Made) or not _is_by(dtype, "numpy.dtype") or not isinstance(dtype.args[0], str):
        raise HeldBackError("it has an array of a type that is not read here")
    return dtype.args[0]


def _kind(dtype: Any) -> str:
    fields = dtype.state[4] if isinstance(dtype.state, tuple) and len(dtype.state) > 4 else None
    if isinstance(fields, dict):
        return "O" if any(_kind(each[0]) == "O" for each in fields.values()) else "V"
    return np.dtype(_type_text(dtype)).kind


def _itemsize(dtype: Any) -> int:
    if np.dtype(_type_text(dtype)).kind in "VSU" and isinstance(dtype.state, tuple) and len(dtype.state) > 5:
        return int(dtype.state[5]) if dtype.state[5] >= 0 else np.dtype(_type_text(dtype)).itemsize
    return np.dtype(_type_text(dtype)).itemsize


def _simple(dtype: Any) -> str:
    """The type of plain numbers as numpy writes it, ``""`` for structures."""
    found = np.dtype(_type_text(dtype))
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    if found.kind not in "fiub":
        return ""
    return (found.newbyteorder(">") if order == ">" else found).str


def _pop_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while not isinstance(item := stack.pop(), _Mark):
        items.append(item)
    return items[::-1]


def _tuple(count: int) -> Any:
    def step(_: Machine, stack: list[Any]) -> None:
        items = [stack.pop() for _ in range(count)][::-1]
        stack.append(tuple(items))

    return step


def _extend(stack: list[Any], items: list[Any]) -> None:
    target = stack[-1]
    if isinstance(target, list):
        target.extend(items)


def _set_items(stack: list[Any], items: list[Any]) -> None:
    target = stack[-1]
    if isinstance(target, dict):
        target.update(_as_dict(items))


def _as_dict(items: list[Any]) -> dict[Any, Any]:
    pairs = zip(items[::2], items[1::2], strict=True)
    return {key: value for key, value in pairs if isinstance(key, str | int | float | bytes | None)}


def _new_with_keywords(machine: Machine, stack: list[Any]) -> None:
    stack.pop()
    machine.call(stack)


_CONSTANTS: Final[dict[str, Any]] = {
    "MARK": _Mark, "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": list,
}  # fmt: skip
_LITERALS: Final = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)
_VALUES: Final = frozenset(_LITERALS.split())
_ESCAPED: Final = frozenset({"STRING", "UNICODE"})
_STEPS: Final[dict[str, Any]] = {
    "TUPLE": lambda _, stack: stack.append(tuple(_pop_mark(stack))),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "LIST": lambda _, stack: stack.append(_pop_mark(stack)),
    "DICT": lambda _, stack: stack.append(_as_dict(_pop_mark(stack))),
    "FROZENSET": lambda _, stack: stack.append(_pop_mark(stack)),
    "APPEND": lambda _, stack: _extend(stack, [stack.pop()]),
    "APPENDS": lambda _, stack: _extend(stack, _pop_mark(stack)),
    "ADDITEMS": lambda _, stack: _extend(stack, _pop_mark(stack)),
    "SETITEM": lambda _, stack: _set_items(stack, [stack.pop(), stack.pop()][::-1]),
    "SETITEMS": lambda _, stack: _set_items(stack, _pop_mark(stack)),
    "POP": lambda _, stack: stack.pop(),
    "POP_MARK": lambda _, stack: _pop_mark(stack),
    "DUP": lambda _, stack: stack.append(stack[-1]),
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "NEWOBJ_EX": _new_with_keywords,
    "BUILD": Machine.build,
}
