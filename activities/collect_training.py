"""Fetch what a completed training left."""

from shared.messages import TrainedModel, TrainingRef
from shared.training_driver import TrainingDriver


def collect_training(training: TrainingRef, *, driver: TrainingDriver) -> TrainedModel:
    """Its metrics and where its model lies; the model itself stays where it is."""
    return driver.collect(training)
