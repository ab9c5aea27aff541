import pytest

from activities.cancel_training import cancel_training
from shared.messages import Done, Phase, TrainingRef, TrainingStatus
from tests.support.training import MemoryDriver

RUN = TrainingRef(run_id="r-1", pipeline="breast-cancer")


@pytest.mark.parametrize(("before", "after"), [(Phase.RUNNING, Phase.CANCELLED), (Phase.COMPLETED, Phase.COMPLETED)])
def test_cancelling_twice_is_as_good_as_once_and_does_not_touch_an_ended_training(before: Phase, after: Phase) -> None:
    driver = MemoryDriver(statuses={"r-1": TrainingStatus(phase=before)})

    assert cancel_training(RUN, driver=driver) == Done()
    assert cancel_training(RUN, driver=driver) == Done()

    assert driver.statuses["r-1"].phase is after
