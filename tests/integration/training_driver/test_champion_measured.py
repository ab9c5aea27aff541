"""The champion's model is measured beside the new one, in its own image: the SDK, the stand-in, OpenSSH, podman."""

import json

import pytest

from shared.messages import TrainedModel, TrainingPhase
from shared.training_driver import TrainingJob
from tests.integration.training_driver.conftest import TrainingVm
from tests.integration.training_driver.site import Site, ref
from tests.support.job_vm import push
from tests.support.podman import BASE
from tests.support.scoring_image import ImageRegistry
from tests.support.serving_host import PULL_PASSWORD


def trained(site: Site, job: TrainingJob) -> TrainedModel:
    site.client.driver("submit", job)
    status = site.end(job)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    collected = site.client.driver("collect", ref(job))
    assert isinstance(collected, TrainedModel), collected
    return collected


@pytest.fixture(scope="module")
def champion(vm: TrainingVm, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a model that knows nothing, by digest."""
    folder = tmp_path_factory.mktemp("champion")
    (folder / "model").mkdir()
    (folder / "model/model.json").write_text(json.dumps({"slope": 0.0, "intercept": 0.0}))
    (folder / "Containerfile").write_text(f"FROM {BASE}\nCOPY model /var/azureml-app/model\n")
    name = f"{vm.registry}/models/tiny"
    vm.podman("build", "--quiet", "--tag", f"{name}:1", str(folder))
    return push(vm.podman, ImageRegistry(vm.registry, "puller", PULL_PASSWORD), f"{name}:1", name, folder)


def test_without_a_champion_nothing_is_compared(site: Site) -> None:
    assert trained(site, site.job()).compared is None


def test_both_models_are_measured_on_the_same_rows_and_compared_row_by_row(site: Site, champion: str) -> None:
    challenger = trained(site, site.job(champion={"run_id": "tiny-0000-1", "image": champion}))

    compared = challenger.compared
    assert compared is not None
    assert compared.run_id == "tiny-0000-1"
    assert compared.metrics["squared_error"] > challenger.metrics["squared_error"]
    assert compared.comparison is not None
    assert compared.comparison.rows == 60
    assert compared.comparison.high < 0
    assert not any(name.startswith("champion.") for name in challenger.metrics)


def test_a_champion_whose_image_is_gone_does_not_fail_the_training(site: Site, vm: TrainingVm) -> None:
    gone = f"{vm.registry}/models/tiny@sha256:{'0' * 64}"

    challenger = trained(site, site.job(champion={"run_id": "tiny-0000-1", "image": gone}))

    compared = challenger.compared
    assert compared is not None
    assert (compared.metrics, compared.comparison) == ({}, None)
    assert "measured again" in compared.trouble
