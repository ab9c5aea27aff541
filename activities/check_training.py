"""Ask how a training is doing."""

from shared.messages import TrainingRef, TrainingStatus
from shared.training_driver import TrainingDriver


def check_training(training: TrainingRef, *, driver: TrainingDriver) -> TrainingStatus:
    """Where the training is now; a failed one is an answer, not an error."""
    return driver.check(training)
