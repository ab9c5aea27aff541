"""Events as they were sent: the worker's own converter answers 500 for what it cannot read, before any code of ours.

The spelling is no slip. The host looks a binding up by its name in any case, the Python worker by the exact name, and
hands the value of a binding it does not know over as the text that it is. So the app reads the events itself, alike for
both schemas and for every version of the worker's library (docs/adr/0024-events-are-read-by-the-app.md).
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.errors import Code, PermanentError
from shared.json_text import NotJsonError, read_json

EVENT_GRID_TRIGGER: Final = "EventGridTrigger"


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
