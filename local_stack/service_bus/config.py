"""The namespace's entities, read from a file in the shape of the official emulator's ``Config.json``.

What the file asks for and this broker does not do (sessions, forwarding, rules, times to live) is refused, never passed
over; unknown keys are warned about.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_pascal

from local_stack.service_bus.core import Broker, Inbox
from local_stack.service_bus.queues import DEAD_LETTER, Policy, Queue
from local_stack.service_bus.records import Journal

log = logging.getLogger("service_bus.config")

_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*')


class ConfigError(Exception):
    """The file cannot be used; the text names the key."""


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, extra="allow", frozen=True)

    def unknown(self, path: str = "") -> Iterator[str]:
        """Where keys are that this broker does not know."""
        yield from (f"{path}{key}" for key in self.model_extra or {})
        for name in type(self).model_fields:
            value = getattr(self, name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, _Section):
                    yield from item.unknown(f"{path}{to_pascal(name)}.")


class _QueueProperties(_Section):
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = Field(default=10, ge=1)
    requires_duplicate_detection: bool = False
    duplicate_detection_history_time_window: timedelta = timedelta(minutes=10)
    requires_session: Literal[False] = False
    forward_to: Literal["", None] = None
    forward_dead_lettered_messages_to: Literal["", None] = None
    default_message_time_to_live: None = None

    @field_validator("lock_duration", "duplicate_detection_history_time_window")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be longer than nothing")
        return value

    @property
    def policy(self) -> Policy:
        """What the core is told."""
        return Policy(lock_duration=self.lock_duration.total_seconds(), max_delivery_count=self.max_delivery_count)

    @property
    def window(self) -> float | None:
        """Seconds of duplicate detection."""
        window = self.duplicate_detection_history_time_window
        return window.total_seconds() if self.requires_duplicate_detection else None


class _Queue(_Section):
    name: str = Field(min_length=1)
    properties: _QueueProperties = Field(default_factory=_QueueProperties)


class _Subscription(_Queue):
    rules: tuple[()] = ()
    """None: a subscription gets everything."""


class _Topic(_Queue):
    subscriptions: tuple[_Subscription, ...] = ()


class _Namespace(_Section):
    name: str
    queues: tuple[_Queue, ...] = ()
    topics: tuple[_Topic, ...] = ()


class _UserConfig(_Section):
    namespaces: tuple[_Namespace] = Field()
    logging: Any = None


class Entities(_Section):
    """The file, checked."""

    user_config: _UserConfig

    @classmethod
    def read(cls, path: Path) -> "Entities":
        """Read a file; ``//`` comments are allowed. Raises :class:`ConfigError`."""
        try:
            document = json.loads(_COMMENT.sub(r"\1", path.read_text(encoding="utf-8")))
            entities = cls.model_validate(document)
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(f"{path.name}: {error}") from error
        for key in entities.unknown():
            log.warning("key ignored file=%s key=%s", path.name, key)
        return entities

    def broker(self, journal: Journal, clock: Callable[[], float]) -> Broker:
        """The broker with these entities. Raises :class:`ConfigError` when two have the same name."""
        namespace = self.user_config.namespaces[0]
        inbox = partial(Inbox, journal=journal, clock=clock)
        queues: list[Queue] = []
        inboxes: list[Inbox] = []

        def queue(path: str, policy: Policy) -> Queue:
            dead = Queue(f"{path}/{DEAD_LETTER}", policy, journal, clock)
            made = Queue(path, policy, journal, clock, dead)
            queues.extend((made, dead))
            return made

        for one in namespace.queues:
            own = queue(one.name, one.properties.policy)
            inboxes.append(inbox(one.name, [own], window=one.properties.window))
        for topic in namespace.topics:
            subscriptions = [
                queue(f"{topic.name}/Subscriptions/{one.name}", one.properties.policy) for one in topic.subscriptions
            ]
            inboxes.append(inbox(topic.name, subscriptions, window=topic.properties.window))
        _check_unique([entity.path for entity in inboxes])
        _check_unique([entity.path for entity in queues])
        return Broker(inboxes, queues)


def _check_unique(paths: list[str]) -> None:
    lowered = [path.lower() for path in paths]
    for path in paths:
        if lowered.count(path.lower()) > 1:
            raise ConfigError(f"two entities are called '{path}'; names have no case")
