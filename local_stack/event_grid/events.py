"""Events in both schemas: checked when published, translated and dressed for delivery.

Source of the rules: the service's event schema and CloudEvents pages, and the CloudEvents 1.0 JSON format.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from local_stack.event_grid.models import Schema, Topic

MOST_BYTES: Final = 1 << 20
"""Of one publishing request."""
_EVENT_GRID_REQUIRED: Final = ("id", "subject", "eventType", "eventTime")
_CLOUD_EVENTS_REQUIRED: Final = ("id", "source", "type", "specversion")
_CONTENT_TYPES: Final = {
    "application/json": (Schema.EVENT_GRID, list),
    "application/cloudevents+json": (Schema.CLOUD_EVENTS, dict),
    "application/cloudevents-batch+json": (Schema.CLOUD_EVENTS, list),
}
_DELIVERY_TYPES: Final = {
    Schema.EVENT_GRID: "application/json; charset=utf-8",
    Schema.CLOUD_EVENTS: "application/cloudevents+json; charset=utf-8",
}


class InvalidEventError(Exception):
    """What was published is not what the topic takes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was published, with what the service fills in."""

    schema: Schema
    body: dict[str, Any]

    @property
    def type(self) -> str:
        """Its type, which filters see."""
        return str(self.body["eventType" if self.schema is Schema.EVENT_GRID else "type"])

    @property
    def subject(self) -> str:
        """Its subject, which filters see; CloudEvents may have none."""
        return str(self.body.get("subject") or "")


def published(content_type: str, content: bytes, topic: Topic) -> list[Event]:
    """The events of a publishing request, at least one. Raises :class:`InvalidEventError`."""
    schema, shape = _CONTENT_TYPES.get(content_type, (None, object))
    if schema is not topic.input_schema:
        raise InvalidEventError(f"this topic takes {topic.input_schema}, not {content_type or 'a body without a type'}")
    try:
        document = json.loads(content, parse_constant=_no_such_number)
    except (ValueError, RecursionError):
        raise InvalidEventError("the body is not JSON") from None
    if not isinstance(document, shape) or not document:
        raise InvalidEventError(f"the body must be {'an event' if shape is dict else 'an array of events'}")
    bodies = document if isinstance(document, list) else [document]
    read = _event_grid if schema is Schema.EVENT_GRID else _cloud_event
    return [read(body, topic) for body in bodies]


def in_schema(event: Event, schema: Schema) -> dict[str, Any]:
    """The event's body in a schema. There is no way from CloudEvents to the Event Grid schema, as in the service."""
    if event.schema is schema:
        return event.body
    if schema is Schema.EVENT_GRID:
        raise ValueError("CloudEvents are not translated")
    body = event.body
    return {
        "id": body["id"],
        "source": body["topic"],
        "specversion": "1.0",
        "type": body["eventType"],
        "subject": body["subject"],
        "time": body["eventTime"],
        "dataschema": f"#{body['dataVersion']}",
        "data": body["data"],
    }


def delivery_content(body: dict[str, Any], schema: Schema) -> bytes:
    """The request body: the Event Grid schema always comes as an array, a CloudEvent alone as an object."""
    return json.dumps([body] if schema is Schema.EVENT_GRID else body).encode()


def delivery_headers(
    body: dict[str, Any], schema: Schema, *, subscription: str, kind: str, failed_attempts: int, output_id: str
) -> dict[str, str]:
    """The headers of a delivery. ``kind`` is ``Notification`` or ``SubscriptionValidation``."""
    headers = {
        "aeg-event-type": kind,
        "aeg-subscription-name": subscription.upper(),
        "aeg-delivery-count": str(failed_attempts),
        "aeg-metadata-version": "1" if schema is Schema.EVENT_GRID else "1.0",
        "aeg-output-event-id": output_id,
        "Content-Type": _DELIVERY_TYPES[schema],
    }
    version = str(body.get("dataVersion", ""))
    if schema is Schema.EVENT_GRID and version.isascii() and version.isprintable():
        headers["aeg-data-version"] = version
    return headers


def now() -> str:
    """The time, as the service writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object in an answer; empty when it is something else."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _event_grid(body: object, topic: Topic) -> Event:
    given = _with_texts(body, _EVENT_GRID_REQUIRED)
    _check_time(given["eventTime"], "eventTime")
    if given.get("topic") not in (None, "", topic.source):
        raise InvalidEventError("topic, when given, must be the id of the topic itself")
    if given.get("metadataVersion") not in (None, "", "1"):
        raise InvalidEventError("metadataVersion, when given, must be 1")
    if "data" not in given:
        raise InvalidEventError("data is missing")
    if not isinstance(given.get("dataVersion"), str):
        raise InvalidEventError("dataVersion is missing or not a text")
    return Event(Schema.EVENT_GRID, {**given, "topic": topic.source, "metadataVersion": "1"})


def _cloud_event(body: object, _topic: Topic) -> Event:
    given = _with_texts(body, _CLOUD_EVENTS_REQUIRED)
    if given["specversion"] != "1.0":
        raise InvalidEventError("specversion must be 1.0")
    if "data" in given and "data_base64" in given:
        raise InvalidEventError("an event has data or data_base64, not both")
    if given.get("time") is not None:
        _check_time(given["time"], "time")
    for name in given:
        if not (name == "data_base64" or (name.isascii() and name.isalnum() and name == name.lower())):
            raise InvalidEventError("names of attributes are lower-case letters and digits")
    return Event(Schema.CLOUD_EVENTS, given)


def _with_texts(body: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidEventError("an event must be an object")
    for name in names:
        if not isinstance(body.get(name), str) or not body[name]:
            raise InvalidEventError(f"{name} is missing or not a text")
    return body


def _check_time(value: object, name: str) -> None:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise InvalidEventError(f"{name} is not a time") from None


def _no_such_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
