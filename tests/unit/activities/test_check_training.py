import pytest

from activities.check_training import check_training
from shared.errors import Code, PermanentError
from shared.messages import Phase, TrainingRef, TrainingStatus
from tests.support.training import MemoryDriver

RUN = TrainingRef(run_id="r-1", pipeline="breast-cancer")


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_is_an_answer_and_not_an_error(phase: Phase) -> None:
    status = TrainingStatus(phase=phase, detail="as the driver says")

    assert check_training(RUN, driver=MemoryDriver(statuses={"r-1": status})) == status


def test_a_training_that_was_never_started_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError) as caught:
        check_training(RUN, driver=MemoryDriver())

    assert caught.value.code is Code.TRAINING_UNKNOWN
