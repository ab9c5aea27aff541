"""Events as they were sent, in the Event Grid schema or as CloudEvents: from the text to plain fields. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.errors import Code, PermanentError
from shared.values.json_text import NotJsonError, read_json
from shared.values.traces import TraceContext, trace_of_event


def payload_of(text: str) -> dict[str, Any]:
    """The event as plain fields, the same for both schemas: id, source, subject, type, time, data.

    Raises :class:`PermanentError` for what is no event.
    """
    try:
        event = read_json(text)
    except NotJsonError as error:
        raise PermanentError(f"event: the text is not JSON that can be taken: {error}", code=Code.BAD_REQUEST) from None
    if not isinstance(event, Mapping):
        raise PermanentError("event: the text must be an object", code=Code.BAD_REQUEST)
    cloud = "specversion" in event
    return {
        "id": event.get("id"),
        "source": event.get("source" if cloud else "topic"),
        "subject": event.get("subject"),
        "type": event.get("type" if cloud else "eventType"),
        "time": event.get("time" if cloud else "eventTime"),
        "data": event.get("data"),
    }


def trace_of(text: str) -> TraceContext | None:
    """The trace that an event belongs to; None for one that says none, and for what is no event."""
    try:
        event = read_json(text)
    except NotJsonError:
        return None
    return trace_of_event(event) if isinstance(event, Mapping) else None
