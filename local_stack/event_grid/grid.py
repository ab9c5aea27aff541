"""The Event Grid core without HTTP: events are queued for their subscriptions, and delivery attempts recorded."""

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from local_stack.event_grid import access, rules
from local_stack.event_grid.events import Event, in_schema
from local_stack.event_grid.models import Config, ConfigError, Subscription, check
from local_stack.event_grid.store import Delivery, Store

log = logging.getLogger("event_grid")

COUNTERS: Final = ("matched", "lost", "attempts", "delivered", "dropped")
_POSTPONED: Final = 60.0  # seconds until a delivery that ended badly is looked at again
_OUTPUT_IDS: Final = uuid.UUID("9d0f1a52-4a0a-4f0e-8a57-0f6f5f0f2f0b")


class Grid:
    """Topics and subscriptions on a store. ``scale`` shortens the service's waiting times, where a policy does not."""

    def __init__(
        self, store: Store, config: Config, *, scale: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.store, self.clock, self._scale = store, clock, scale
        self.topics = {topic.name: topic for topic in config.topics}
        self.subscriptions: dict[str, Subscription] = {}
        self.agreed: set[str] = set()
        self.on_work: Callable[[str], None] = lambda _name: None
        """Called with a subscription's name when there is something for it."""
        self._load(config.subscriptions)

    def put(self, subscription: Subscription, *, agreed: bool) -> None:
        """Make or replace a subscription. Raises :class:`~local_stack.event_grid.models.ConfigError`."""
        check(subscription, self.topics)
        self.store.put_subscription(subscription, agreed=agreed)
        self.subscriptions[subscription.name] = subscription
        (self.agreed.add if agreed else self.agreed.discard)(subscription.name)

    def topic_key(self, name: str) -> str:
        """The key for publishing to a topic."""
        return self.store.key(f"topic/{name}", access.new_key)

    def remove(self, name: str) -> None:
        """Forget a subscription and all that was on its way to it."""
        self.store.remove_subscription(name)
        self.subscriptions.pop(name, None)
        self.agreed.discard(name)

    def publish(self, topic: str, events: Iterable[Event]) -> None:
        """Put events on their way; they are durably queued, all of them or none, when this returns."""
        with self.store.transaction():
            reached = self._enqueue(topic, events)
        self._call(reached)

    def output_id(self, delivery: Delivery) -> str:
        """The id that the service gives an event for a subscription; the same for every attempt and copy."""
        return str(uuid.uuid5(_OUTPUT_IDS, f"{delivery.subscription}/{delivery.event_number}/{delivery.published_at}"))

    def body(self, delivery: Delivery) -> dict[str, Any]:
        """The event as the subscription wants it."""
        return in_schema(delivery.event, self.subscriptions[delivery.subscription].event_delivery_schema)

    def expires_at(self, delivery: Delivery) -> float:
        """When an event is delivered no more."""
        policy = self.subscriptions[delivery.subscription].retry_policy
        return delivery.published_at + policy.event_time_to_live_in_minutes * 60 * self._scale_of(delivery)

    def attempted(self, delivery: Delivery, outcome: str, status: int | None) -> None:
        """Settle an attempt: done, again later, or dropped. ``status`` is None without an answer."""
        attempts = delivery.attempts + 1
        policy = self.subscriptions[delivery.subscription].retry_policy
        jitter = random.random()  # noqa: S311  spreads load, hides nothing
        verdict = rules.judge(status, attempts=attempts, policy=policy, jitter=jitter)
        with self.store.transaction():
            self.store.count(delivery.subscription, "attempts")
            match verdict:
                case rules.Delivered():
                    self.store.count(delivery.subscription, "delivered")
                    self.store.finish(delivery)
                case rules.Again(after):
                    due = min(self.clock() + after * self._scale_of(delivery), self.expires_at(delivery))
                    self.store.update(replace(delivery, attempts=attempts, due=due))
                case rules.Undeliverable(reason):
                    self._drop(delivery, reason)
        if not isinstance(verdict, rules.Delivered):
            log.warning("attempt failed %s event=%s attempt=%d outcome=%s", *_names(delivery), attempts, outcome)

    def expire(self, delivery: Delivery) -> None:
        """Drop a delivery whose time is over."""
        with self.store.transaction():
            self._drop(delivery, rules.TIME_TO_LIVE_EXCEEDED)

    def postpone(self, delivery: Delivery) -> None:
        """Look at a delivery again later, as if nothing had been tried."""
        self.store.update(replace(delivery, due=self.clock() + _POSTPONED * self._scale_of(delivery)))

    def stats(self) -> dict[str, dict[str, Any]]:
        """What became of each subscription's events."""
        return {
            name: {
                **{counter: self.store.counters(name).get(counter, 0) for counter in COUNTERS},
                "pending": self.store.pending(name),
                "agreed": name in self.agreed,
            }
            for name in sorted(self.subscriptions)
        }

    def _load(self, configured: Iterable[Subscription]) -> None:
        """What the store has, then what the config says; an endpoint that is still the same need not agree again."""
        for subscription, agreed in self.store.subscriptions():
            try:
                self.put(subscription, agreed=agreed)
            except ConfigError as error:
                log.warning("idle until its topic is back: %s", error)
        for subscription in configured:
            before = self.subscriptions.get(subscription.name)
            same = before is not None and (before.endpoint, before.event_delivery_schema) == (
                subscription.endpoint,
                subscription.event_delivery_schema,
            )
            self.put(subscription, agreed=same and subscription.name in self.agreed)

    def _enqueue(self, topic: str, events: Iterable[Event]) -> set[str]:
        now, reached = self.clock(), set()
        subscriptions = [one for one in self.subscriptions.values() if one.topic == topic]
        for event in events:
            number = self.store.add_event(event, now)
            for subscription in subscriptions:
                if rules.matches(subscription.filter, event_type=event.type, subject=event.subject):
                    self._send(subscription, number, now)
                    reached.add(subscription.name)
            self.store.forget_unless_awaited(number)
        return reached

    def _send(self, subscription: Subscription, number: int, now: float) -> None:
        ordinal = self.store.count(subscription.name, "matched")
        late = rules.scatter(subscription.chaos, subscription.name, ordinal)
        if not late:
            self.store.count(subscription.name, "lost")
        for seconds in late:
            self.store.add_delivery(subscription.name, number, now + seconds)

    def _call(self, names: Iterable[str]) -> None:
        for name in names:
            self.on_work(name)

    def _drop(self, delivery: Delivery, why: str) -> None:
        self.store.count(delivery.subscription, "dropped")
        self.store.finish(delivery)
        log.error("DROPPED %s event=%s reason=%s", *_names(delivery), why)

    def _scale_of(self, delivery: Delivery) -> float:
        scale = self.subscriptions[delivery.subscription].retry_policy.scale
        return self._scale if scale is None else scale


def _names(delivery: Delivery) -> tuple[str, str]:
    return f"subscription={delivery.subscription}", repr(delivery.event.body["id"])
