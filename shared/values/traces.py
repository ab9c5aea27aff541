"""Where something belongs in a distributed trace: W3C ``traceparent`` texts, and span ids of our own. Pure.

A text from outside is taken or it is not there; nothing of it but two hexadecimal numbers is ever kept. ``tracestate``
and ``baggage`` are free texts of others, and are never read.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

FIELD: Final = "traceparent"
"""The name of the header, of the extension attribute of CloudEvents, and of the field in our own messages."""
MESSAGE_FIELDS: Final = (FIELD, "Diagnostic-Id")
"""Application properties of a Service Bus message: what is customary today, and what Azure's SDKs write."""

_LONGEST: Final = 512
_TEXT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.ASCII)
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace, and the span in it that what comes next belongs to; in hexadecimal, as in the header."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def text(self) -> str:
        """The ``traceparent``."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self, *parts: object) -> "TraceContext":
        """The context of a span whose id follows from the parts: whoever makes it again makes the same one."""
        return replace(self, span_id=_digest("span", self.trace_id, *parts)[:16])


def read_trace(text: object) -> TraceContext | None:
    """The context that a ``traceparent`` of our own stands for; None for anything that is none."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # A later version may have more to say, which is left out; version 00 has nothing more, and ff is none.
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def trace_from_outside(*texts: object) -> TraceContext | None:
    """The first of these that is a ``traceparent``.

    Always sampled: whether the sender records its own side is no reason to record nothing of a run, and must not be a
    way to switch that off.
    """
    found = next(filter(None, map(read_trace, texts)), None)
    return None if found is None else replace(found, sampled=True)


def trace_of_event(event: Mapping[str, Any]) -> TraceContext | None:
    """The trace that a CloudEvent belongs to (its extension attribute ``traceparent``)."""
    return trace_from_outside(event.get(FIELD))


def trace_of_message(properties: object) -> TraceContext | None:
    """The trace that a Service Bus message belongs to, by its application properties."""
    if not isinstance(properties, Mapping):
        return None
    found = (properties.get(name) for name in MESSAGE_FIELDS)
    return trace_from_outside(*(_decoded(value) for value in found))


def own_trace(*parts: object) -> TraceContext:
    """A trace for what came without one; the same parts are the same trace."""
    found = _digest("trace", *parts)
    return TraceContext(found[:32], found[32:48])


def _decoded(value: object) -> object:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "backslashreplace")).hexdigest()
