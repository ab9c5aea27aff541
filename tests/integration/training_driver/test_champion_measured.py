"""A training measures the champion's model beside its own, on the SDK, the stand-in, OpenSSH and real blob storage."""

import pytest

from local_stack.demo_data import breast_cancer_story
from shared.messages import ChampionMeasurement, TrainedModel, TrainingPhase, TrainingRef
from shared.training_driver import TrainingJob
from tests.integration.training_driver.site import Site

STORY = breast_cancer_story()
LINES = STORY.holdout.splitlines(keepends=True)
OTHER_HOLDOUT = b"".join([LINES[0], *LINES[1::2]])


def trained(site: Site, job: TrainingJob) -> TrainedModel:
    site.client.driver("submit", job)
    status = site.end(job)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    ref = TrainingRef(run_id=job.run_id, pipeline=job.pipeline, metrics=("log_loss",))
    collected = site.client.driver("collect", ref)
    assert isinstance(collected, TrainedModel), collected
    return collected


@pytest.fixture(scope="module")
def champion(site: Site) -> TrainedModel:
    """Trained on the first drop, measured on the whole hold-out; nobody was champion before it."""
    return trained(site, site.job())


def test_without_a_champion_nothing_is_compared(champion: TrainedModel) -> None:
    assert champion.compared is None


def test_on_the_same_rows_the_champion_reaches_what_it_reached_before(site: Site, champion: TrainedModel) -> None:
    challenger = trained(site, site.job(champion=champion.run_id, more=STORY.second["landing/part-3.csv"]))

    assert challenger.compared == ChampionMeasurement(
        run_id=champion.run_id, metrics={"log_loss": champion.metrics["log_loss"]}
    )
    assert challenger.metrics["log_loss"] != champion.metrics["log_loss"]
    assert not any(name.startswith("champion.") for name in challenger.metrics)


def test_on_another_holdout_both_are_measured_anew(site: Site, champion: TrainedModel) -> None:
    same_model_again = trained(site, site.job(champion=champion.run_id, holdout=OTHER_HOLDOUT))

    compared = same_model_again.compared
    assert compared is not None
    assert compared.metrics["log_loss"] != pytest.approx(champion.metrics["log_loss"])
    assert compared.metrics["log_loss"] == pytest.approx(same_model_again.metrics["log_loss"])


def test_a_champion_that_is_not_there_does_not_fail_the_training(site: Site) -> None:
    challenger = trained(site, site.job(champion="breast-cancer-000000000000-1"))

    compared = challenger.compared
    assert compared is not None
    assert (compared.run_id, compared.metrics) == ("breast-cancer-000000000000-1", {})
    assert "measured again" in compared.trouble
    assert challenger.metrics["log_loss"] < 0.2


def test_the_model_of_another_pipeline_is_of_no_use_and_the_training_says_so(
    site: Site, champion: TrainedModel
) -> None:
    """Another number of features, as after a change of ``FEATURES``."""
    challenger = trained(site, site.job("digits", champion=champion.run_id))

    compared = challenger.compared
    assert compared is not None
    assert (compared.run_id, compared.metrics) == (champion.run_id, {})
    assert "ValueError" in compared.trouble
