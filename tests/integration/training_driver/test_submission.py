"""A job is submitted once and cancelled for good: azureml-core, its stand-in, OpenSSH and real blob storage."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from shared.messages import (
    TrainingPhase,
    TrainingStatus,
)
from tests.integration.training_driver.client import Client
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client, new_site
from tests.integration.training_driver.site import Site, ref
from tests.support.serving_host import wait_for
from tests.support.tiny_training import CODE


def test_the_sdk_settled_on_the_configured_cloud(client: Client, azure_ml: AzureMlStandIn) -> None:
    assert client.begin("facts", "resource_manager").result(timeout=600) == azure_ml.endpoints["url"]


def test_a_submitted_job_is_started_once_however_often_it_is_submitted(site: Site, azure_ml: AzureMlStandIn) -> None:
    job = site.job()

    first = site.client.driver("submit", job)
    again = site.client.driver("submit", job)
    end = site.end(job)
    afterwards = site.client.driver("submit", job)

    assert isinstance(first, TrainingStatus)
    assert isinstance(again, TrainingStatus)
    assert end.phase is TrainingPhase.COMPLETED, end.detail
    assert afterwards == end
    assert azure_ml.trainings(job.run_id) == 1


def test_jobs_submitted_at_the_same_moment_each_run_their_own_code(
    azure_ml: AzureMlStandIn, vm: TrainingVm, hub: str, tmp_path: Path
) -> None:
    client = new_client(azure_ml, vm, tmp_path)  # a cold one: the workspace is opened by all of them at once
    site = new_site(client, hub, vm)
    try:
        measured = CODE["evaluate.py"].replace
        named = [measured('{"squared_error":', f'{{"extra_{number}": {number}, "squared_error":') for number in "123"]
        jobs = [site.job(files={"evaluate.py": text}) for text in named]

        site.client.begin("facts", "submit_side_by_side", jobs).result(timeout=600)

        assert [site.end(job).phase for job in jobs] == [TrainingPhase.COMPLETED] * 3
        metrics = [site.client.driver("collect", ref(job)).metrics for job in jobs]
        assert [logged.keys() - {"squared_error"} for logged in metrics] == [{"extra_1"}, {"extra_2"}, {"extra_3"}]
    finally:
        client.close()


def test_the_same_job_submitted_many_times_at_once_is_one_run(site: Site) -> None:
    job = site.job()

    answers = site.client.begin("facts", "submit_side_by_side", [job] * 4).result(timeout=600)

    assert {type(answer) for answer in answers} == {TrainingStatus}
    assert site.end(job).phase is TrainingPhase.COMPLETED


def test_a_submit_that_was_killed_after_the_start_is_adopted_and_tagged(
    azure_ml: AzureMlStandIn, vm: TrainingVm, hub: str, tmp_path: Path
) -> None:
    site = new_site(new_client(azure_ml, vm, tmp_path), hub, vm)
    try:
        job = site.job()
        pid = site.client.process_id()
        starts = azure_ml.requests_seen("execution")
        azure_ml.fault("/snapshotrun$", delay=30, count=1)
        doomed = site.client.begin("driver", "submit", job)
        wait_for(lambda: azure_ml.requests_seen("execution") > starts, "the request that starts the run")
        # The run will exist in half a minute, and its tags come after it: time to see to it that they never do.
        azure_ml.fault(f"/experiments/[^/]*/runs/{job.run_id}$", delay=300, count=1000)
        wait_for(lambda: azure_ml.trainings(job.run_id) == 1, "the training")
        os.kill(pid, signal.SIGKILL)
        assert isinstance(doomed.exception(timeout=300), BrokenProcessPool)
        azure_ml.clear_faults()
        site.client.restart()
        assert site.run(job)["tags"].keys().isdisjoint(job.tags)

        site.client.driver("submit", job)

        assert site.end(job).phase is TrainingPhase.COMPLETED
        assert azure_ml.trainings(job.run_id) == 1
        assert site.run(job)["tags"].items() >= job.tags.items()
    finally:
        azure_ml.clear_faults()
        site.client.close()


def test_a_submit_whose_answer_was_lost_finds_the_run_it_started(site: Site, azure_ml: AzureMlStandIn) -> None:
    job = site.job()
    site.client.driver("submit", job)
    # As if the first look-up had come too early: the service then refuses the second start.
    azure_ml.fault(f"/experiments/[^/]*/runs/{job.run_id}$", status=404, count=1)
    try:
        status = site.client.driver("submit", job)
    finally:
        azure_ml.clear_faults()

    assert isinstance(status, TrainingStatus), status
    assert site.end(job).phase is TrainingPhase.COMPLETED
    assert azure_ml.trainings(job.run_id) == 1


def test_a_cancelled_training_stops_and_leaves_nothing(site: Site, azure_ml: AzureMlStandIn, vm: TrainingVm) -> None:
    busy, job = site.job(), site.job()
    site.client.driver("submit", busy)
    site.client.driver("submit", job)  # waits for its turn behind the other

    site.client.driver("cancel", ref(job))
    site.client.driver("cancel", ref(job))
    end = site.end(job)
    site.client.driver("cancel", ref(job))

    assert end == TrainingStatus(phase=TrainingPhase.CANCELLED)
    assert site.end(busy).phase is TrainingPhase.COMPLETED
    assert azure_ml.trainings(job.run_id) == 0
    assert vm.leftovers() == []


def test_a_running_training_is_stopped_on_the_vm(site: Site, vm: TrainingVm, azure_ml: AzureMlStandIn) -> None:
    job = site.job()
    site.client.driver("submit", job)
    site.until(
        job, lambda status: status.phase in {TrainingPhase.RUNNING, TrainingPhase.FINALIZING, TrainingPhase.COMPLETED}
    )

    site.client.driver("cancel", ref(job))

    # It is a race with a short training; either way nothing of it runs on.
    assert site.end(job).phase in {TrainingPhase.CANCELLED, TrainingPhase.COMPLETED}
    assert vm.leftovers() == []
