"""Give back a run's compute, or its place in the queue before it."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from shared.decisions.training.compute_queue import QueueState, give_back
from shared.messages import ComputeRef, Done

Answer = TypeVar("Answer")


class Queues(Protocol):
    """Keeps the queue before each compute."""

    def change(self, compute: str, rule: Callable[[QueueState], tuple[QueueState, Answer]]) -> Answer:
        """Replace the queue by what the rule makes of it, in one step, and give the rule's answer."""


def release_compute(ref: ComputeRef, *, queues: Queues, now: datetime) -> Done:
    """Give back; whoever is next is granted in the same step. Safe to repeat, and for a run that has nothing."""
    queues.change(ref.compute, lambda state: (give_back(state, ref.run_id, now), None))
    return Done()
