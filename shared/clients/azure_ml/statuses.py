"""Map Azure ML's run states to our training phases. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from shared.messages import TrainingPhase

_PHASES = {
    "NotStarted": TrainingPhase.QUEUED,
    "Queued": TrainingPhase.QUEUED,
    "Preparing": TrainingPhase.PREPARING,
    "Provisioning": TrainingPhase.PREPARING,
    "Starting": TrainingPhase.PREPARING,
    "Running": TrainingPhase.RUNNING,
    "NotResponding": TrainingPhase.RUNNING,
    "CancelRequested": TrainingPhase.FINALIZING,
    "Finalizing": TrainingPhase.FINALIZING,
    "Completed": TrainingPhase.COMPLETED,
    "Failed": TrainingPhase.FAILED,
    "Canceled": TrainingPhase.CANCELLED,
}

UNDER_WAY = frozenset(state.casefold() for state, phase in _PHASES.items() if not phase.terminal)
"""The states, in small letters, in which a run has not ended."""


def phase_of(status: str) -> TrainingPhase:
    """Our phase for a state; an unknown one counts as running, so that the time limits still end it."""
    return _PHASES.get(status, TrainingPhase.RUNNING)


def finite_metrics(logged: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among what a run logged; of a series, its last value."""
    last = {name: value[-1] if isinstance(value, list) and value else value for name, value in logged.items()}
    numbers = {name: _number(value) for name, value in sorted(last.items())}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def error_of(error: object) -> tuple[str, str]:
    """Code and text of a run's error record, which is ``{"error": {"code", "message"}}``; empty as far as missing."""
    inner = error.get("error", error) if isinstance(error, Mapping) else None
    if not isinstance(inner, Mapping):
        return "", ""
    return str(inner.get("code") or ""), str(inner.get("message") or "")
