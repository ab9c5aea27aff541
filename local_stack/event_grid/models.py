"""Topics and subscriptions as the config file and the control API describe them.

Names follow the resource model of the service (``eventDeliverySchema``, ``retryPolicy``, ``filter``, ...); what it has
and this stand-in has not is refused, never passed over.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError, field_validator
from pydantic.alias_generators import to_camel

_RESOURCE_GROUP: Final = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
_URL: Final[TypeAdapter[HttpUrl]] = TypeAdapter(HttpUrl)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{3,64}$")]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class ConfigError(Exception):
    """A definition cannot be used; the text names the key and holds no secret."""


class Schema(StrEnum):
    """The two forms of an event."""

    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENTS = "CloudEventSchemaV1_0"


class _Section(BaseModel):
    # Inputs stay out of error texts: endpoints carry keys.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )


class Topic(_Section):
    """Where events are published."""

    name: Name
    input_schema: Schema = Schema.EVENT_GRID
    resource_id: str = ""
    """What events carry as ``topic``; for a system topic the id of the resource that raises them."""

    @property
    def source(self) -> str:
        """The resource id, given or made up."""
        return self.resource_id or f"{_RESOURCE_GROUP}/providers/Microsoft.EventGrid/topics/{self.name}"


class Filter(_Section):
    """Which of a topic's events a subscription gets."""

    included_event_types: tuple[str, ...] = ()
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    is_subject_case_sensitive: bool = False


class RetryPolicy(_Section):
    """How long delivery is tried. ``scale`` shortens every wait and the time to live; None takes the server's."""

    max_delivery_attempts: int = Field(default=30, ge=1, le=30)
    event_time_to_live_in_minutes: int = Field(default=1440, ge=1, le=1440)
    scale: float | None = Field(default=None, gt=0, le=1)


class Chaos(_Section):
    """What goes wrong on purpose, the same way for the same seed and order of events."""

    seed: int = 0
    drop: float = Field(default=0, ge=0, le=1)
    """The fraction of events that are lost, with all their copies."""
    duplicates: int = Field(default=0, ge=0, le=100)
    """Copies besides the first."""
    delay: Seconds = 0
    shuffle: Seconds = 0
    """Copies are scattered over so many seconds, each on its own."""


class Subscription(_Section):
    """Where a topic's events are delivered, and how."""

    name: Name
    topic: Name
    endpoint: str = Field(repr=False)
    event_delivery_schema: Schema = Schema.EVENT_GRID
    filter: Filter = Filter()
    retry_policy: RetryPolicy = RetryPolicy()
    chaos: Chaos = Chaos()
    concurrency: int = Field(default=8, ge=1, le=256)
    answer_within: float = Field(default=30, gt=0, le=30)
    """Seconds."""

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        _URL.validate_python(value)
        return value

    def public(self) -> dict[str, Any]:
        """The definition without what is secret: the endpoint's query."""
        return {**self.model_dump(mode="json", by_alias=True), "endpoint": self.endpoint.partition("?")[0]}


class Config(_Section):
    """The config file."""

    topics: tuple[Topic, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file. Raises :class:`ConfigError`."""
        try:
            config = cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise ConfigError(f"{path.name}: {_first(error)}") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path.name} cannot be read: {error}") from None
        topics = {topic.name: topic for topic in config.topics}
        for subscription in config.subscriptions:
            check(subscription, topics)
        return config


def subscription_from(name: str, definition: object) -> Subscription:
    """A subscription as the control API gets it, its name apart. Raises :class:`ConfigError`."""
    if not isinstance(definition, dict):
        raise ConfigError("the definition must be a JSON object")
    try:
        return Subscription.model_validate({**definition, "name": name})
    except ValidationError as error:
        raise ConfigError(_first(error)) from None


def check(subscription: Subscription, topics: dict[str, Topic]) -> None:
    """Refuse what the service refuses: it never turns CloudEvents into its own schema. Raises :class:`ConfigError`."""
    topic = topics.get(subscription.topic)
    if topic is None:
        raise ConfigError(f"subscription {subscription.name}: there is no topic {subscription.topic}")
    if topic.input_schema is Schema.CLOUD_EVENTS and subscription.event_delivery_schema is Schema.EVENT_GRID:
        raise ConfigError(
            f"subscription {subscription.name}: topic {topic.name} has CloudEvents and delivers only these"
        )


def _first(error: ValidationError) -> str:
    detail = error.errors(include_input=False, include_context=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
