from activities.collect_training import collect_training
from shared.messages import TrainedModel, TrainingRef
from tests.support.training import MemoryDriver


def test_the_outcome_is_the_drivers() -> None:
    trained = TrainedModel(run_id="r-1", pipeline="digits", metrics={"log_loss": 0.1}, model_path="outputs/model")

    reference = TrainingRef(run_id="r-1", pipeline="digits")

    assert collect_training(reference, driver=MemoryDriver(models={"r-1": trained})) == trained
