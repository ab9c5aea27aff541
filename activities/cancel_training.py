"""Ask a training to stop."""

from shared.messages import Done, TrainingRef
from shared.training_driver import TrainingDriver


def cancel_training(training: TrainingRef, *, driver: TrainingDriver) -> Done:
    """Pass the wish on; ``check_training`` tells when it has stopped. No error for one that has ended already."""
    driver.cancel(training)
    return Done()
