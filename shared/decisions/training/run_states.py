"""Map Azure ML's run states to our training phases. Pure."""

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
