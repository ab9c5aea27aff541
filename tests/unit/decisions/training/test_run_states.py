import pytest

from shared.decisions.training.run_states import UNDER_WAY, phase_of
from shared.messages import TrainingPhase


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("NotStarted", TrainingPhase.QUEUED),
        ("Queued", TrainingPhase.QUEUED),
        ("Preparing", TrainingPhase.PREPARING),
        ("Provisioning", TrainingPhase.PREPARING),
        ("Starting", TrainingPhase.PREPARING),
        ("Running", TrainingPhase.RUNNING),
        ("NotResponding", TrainingPhase.RUNNING),
        ("CancelRequested", TrainingPhase.FINALIZING),
        ("Finalizing", TrainingPhase.FINALIZING),
        ("Completed", TrainingPhase.COMPLETED),
        ("Failed", TrainingPhase.FAILED),
        ("Canceled", TrainingPhase.CANCELLED),
        ("AWordOfTomorrow", TrainingPhase.RUNNING),
    ],
)
def test_every_word_of_azure_ml_has_a_phase(status: str, phase: TrainingPhase) -> None:
    assert phase_of(status) is phase
    assert (status.casefold() in UNDER_WAY) is (not phase.terminal and status != "AWordOfTomorrow")
