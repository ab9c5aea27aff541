"""What a training leaves: metrics, files, tags and a registered model, through unmodified azureml-core."""

import json
import secrets
from dataclasses import replace
from pathlib import Path

from local_stack.stack_hub.site_keys import ensure_site_key
from shared.decisions.delivery.model_stages import TagChange, stage_changes
from shared.messages import (
    Lineage,
    RegisteredModel,
    RegisterModel,
    SignatureState,
    TrainedModel,
)
from shared.training_driver import TrainingJob
from tests.integration.training_driver.client import Client, Failed
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client
from tests.integration.training_driver.site import ref


def test_a_completed_training_has_metrics_times_a_model_and_a_receipt(
    client: Client, trained: TrainingJob, vm: TrainingVm
) -> None:
    outcome = client.driver("collect", ref(trained))

    assert isinstance(outcome, TrainedModel)
    assert outcome.model_path == "outputs/model"
    assert outcome.metrics.keys() == {"squared_error"}
    assert outcome.ended_at is not None
    assert outcome.ended_at.tzinfo is not None
    assert outcome.receipt is not None
    assert (outcome.receipt.network_bytes, outcome.receipt.signature) == (0, SignatureState.VALID)
    assert outcome.receipt.released >= 3
    assert outcome.receipt == client.driver("receipt", ref(trained))
    assert trained.run_id not in vm.leftovers()


def test_a_receipt_that_another_key_signed_is_refused(
    azure_ml: AzureMlStandIn, trained: TrainingJob, vm: TrainingVm, tmp_path: Path
) -> None:
    other = replace(vm, compute=vm.compute.model_copy(update={"receipt_key": ensure_site_key(tmp_path / "other")}))
    client = new_client(azure_ml, other, tmp_path)
    try:
        answer = client.driver("collect", ref(trained))
    finally:
        client.close()

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.code) == ("permanent", "receipt_refused")


def test_the_model_is_downloaded_as_the_job_wrote_it(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    client.driver("fetch", trained.run_id, trained.pipeline, "outputs/model", into=tmp_path)

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["model.json", "smoke.json"]
    assert json.loads((tmp_path / "smoke.json").read_text()).keys() == {"request", "response", "tolerance"}


def test_what_is_not_there_is_not_downloaded(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    client.driver("fetch", trained.run_id, trained.pipeline, "outputs/nothing", into=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_run_carries_our_tags_and_references_only(client: Client, trained: TrainingJob) -> None:
    run = client.begin("facts", "run", trained.pipeline, trained.run_id).result(timeout=600)

    assert run["tags"].items() >= trained.tags.items()
    assert run["definition"]["arguments"] == ["--order", trained.order]
    assert run["definition"]["maxRunDurationSeconds"] == trained.most_seconds
    assert "AccountKey" not in json.dumps(run)


def test_the_log_tells_progress(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    log = client.begin("facts", "log", trained.pipeline, trained.run_id, str(tmp_path)).result(timeout=600)

    assert "train: done" in log
    assert "bytes left the site" in log


def test_registering_twice_makes_one_version_with_lineage(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id,
        pipeline=trained.pipeline,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=2,
        metrics={"log_loss": 0.0912345678},
        parameters={"most_iterations": 500},
        attempt=2,
        site="factory",
        manifest="tiny/cdcd.json",
        code="ef" * 32,
        champion_before="tiny-abcabcabcabc-1",
    )
    name = f"model-{secrets.token_hex(4)}"

    before = client.registry("version_of", trained.run_id, name=name)
    registered = client.registry("register", lineage, name=name, path="outputs/model")
    found = client.registry("version_of", trained.run_id, name=name)

    assert before is None
    assert registered == found == RegisteredModel(name=name, version="1")
    (model,) = client.begin("facts", "models", name).result(timeout=600)
    assert model["run_id"] == trained.run_id
    assert model["tags"] == {"pipeline": "tiny", "run_id": trained.run_id, "cause": "new_data", "stage": "candidate"}
    assert model["properties"] == {
        "run_id": trained.run_id,
        "attempt": "2",
        "site": "factory",
        "manifest": "tiny/cdcd.json",
        "code": "ef" * 32,
        "champion_before": "tiny-abcabcabcabc-1",
        "fingerprint": "ab" * 32,
        "snapshot": "cd" * 32,
        "blobs": "2",
        "holdout": "",
        "evaluator": "",
        "metric.log_loss": "0.0912346",
        "parameter.most_iterations": "500",
    }


def test_registering_many_times_at_once_gives_one_answer(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id,
        pipeline=trained.pipeline,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=2,
        metrics={"log_loss": 0.1},
    )
    name = f"model-{secrets.token_hex(4)}"
    command = RegisterModel(lineage=lineage, model_path="outputs/model", name=name)

    answers = client.begin("facts", "registered_at_once", command, 4).result(timeout=600)

    assert answers == [RegisteredModel(name=name, version="1")] * 4
    assert client.registry("version_of", trained.run_id, name=name) == answers[0]
    _, *others = client.registry("versions_of", trained.run_id, name=name)
    assert [other.tags["duplicate_of"] for other in others] == ["1"] * len(others)
    assert [other.tags["stage"] for other in others] == ["retired"] * len(others)


def test_stage_tags_follow_the_champion_whatever_they_were(client: Client, trained: TrainingJob) -> None:
    name = f"model-{secrets.token_hex(4)}"
    lineage = Lineage(run_id=trained.run_id, pipeline="tiny", fingerprint="", snapshot_digest="", blobs=0, metrics={})
    for _ in range(2):
        client.registry("register", lineage, name=name, path="outputs/model")
    client.registry("tag", TagChange(name=name, version=2, tags={"stage": "champion", "note": "by hand"}))

    changes = stage_changes(client.registry("versions", "tiny", name=name), champion=trained.run_id, unfinished=())
    for change in changes:
        client.registry("tag", change)

    first, second = client.registry("versions", "tiny", name=name)
    assert [change.version for change in changes] == [2, 1]
    assert first.tags["stage"] == "champion"
    assert first.tags["run_id"] == trained.run_id
    assert second.tags.items() >= {"stage": "retired", "duplicate_of": "1", "note": "by hand"}.items()
    assert client.registry("versions", "another", name=name) == []


def test_a_model_that_is_not_there_is_not_registered(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id, pipeline=trained.pipeline, fingerprint="", snapshot_digest="", blobs=0, metrics={}
    )

    answer = client.registry("register", lineage, name="none", path="outputs/nothing")

    assert answer.kind == "permanent"
    assert answer.code == "model_missing"
