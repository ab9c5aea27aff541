"""Rules: which subscription gets an event, what follows a delivery attempt, and which faults are injected.

Source of the rules: the service's documentation of event filters and of delivery and retry.
"""

import random
from dataclasses import dataclass
from typing import Final

from local_stack.event_grid.models import Chaos, Filter, RetryPolicy

SCHEDULE: Final = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 21600.0)
"""Seconds to wait after the first, second, ... failed attempt."""
THEN_EVERY: Final = 43200.0
LEAST_WAITS: Final = {408: 120.0, 503: 30.0}
SUCCESS: Final = range(200, 205)
NO_RETRY: Final = frozenset({400, 401, 403, 413})
"""A webhook that answers so will do it again."""
JITTER: Final = 0.1
"""The greatest part by which a wait is longer; the service documents "a small randomization"."""

MAX_ATTEMPTS_EXCEEDED: Final = "MaxDeliveryAttemptsExceeded"
TIME_TO_LIVE_EXCEEDED: Final = "TimeToLiveExceeded"
CLIENT_ERROR: Final = "UndeliverableDueToClientError"

TIMED_OUT: Final = "TimedOut"
SOCKET_ERROR: Final = "SocketError"
_OUTCOMES: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: TIMED_OUT,
    413: "PayloadTooLarge",
    429: "Busy",
    503: "Busy",
}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint has the event."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after so many seconds, on the service's time scale."""

    after: float


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Drop the event, and say so in the log."""

    reason: str


Verdict = Delivered | Again | Undeliverable


def matches(rule: Filter, *, event_type: str, subject: str) -> bool:
    """Whether a subscription with this filter gets the event."""
    if rule.included_event_types and event_type not in rule.included_event_types:
        return False
    begin, end = rule.subject_begins_with, rule.subject_ends_with
    if not rule.is_subject_case_sensitive:
        begin, end, subject = begin.lower(), end.lower(), subject.lower()
    return subject.startswith(begin) and subject.endswith(end)


def judge(status: int | None, *, attempts: int, policy: RetryPolicy, jitter: float) -> Verdict:
    """What follows the attempt number ``attempts``. ``status`` is None without an answer, ``jitter`` from 0 to 1."""
    if status in SUCCESS:
        return Delivered()
    if status in NO_RETRY:
        return Undeliverable(CLIENT_ERROR)
    if attempts >= policy.max_delivery_attempts:
        return Undeliverable(MAX_ATTEMPTS_EXCEEDED)
    step = SCHEDULE[attempts - 1] if attempts <= len(SCHEDULE) else THEN_EVERY
    return Again(max(step, LEAST_WAITS.get(status or 0, 0.0)) * (1 + JITTER * jitter))


def outcome(status: int) -> str:
    """An answer as ``lastDeliveryOutcome`` words it."""
    return _OUTCOMES.get(status, "GenericError")


def scatter(chaos: Chaos, subscription: str, ordinal: int) -> list[float]:
    """Seconds by which each copy of a subscription's n-th event is late; no copy at all when it is to be lost."""
    chance = random.Random(f"{chaos.seed}/{subscription}/{ordinal}")  # noqa: S311  repeatable, not secret
    if chance.random() < chaos.drop:
        return []
    return [chaos.delay + chance.uniform(0, chaos.shuffle) for _ in range(1 + chaos.duplicates)]
