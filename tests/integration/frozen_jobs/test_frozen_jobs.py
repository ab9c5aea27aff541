"""The code of admitted runs in a real blob service."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient

from shared.clients.frozen_jobs import FrozenJobs
from shared.clients.host_storage import StorageAccess
from shared.errors import Code, PermanentError, TransientError
from shared.pipelines import Pipelines
from shared.training_code.environment_key import environment_key
from shared.training_code.job_folders import JobFolders
from shared.training_code.run_code import RunCode
from shared.training_code.scoring_images import scoring_parts
from tests.support.azurite import running_azurite
from tests.support.jobs import a_job_tree

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Storage:
    text: str
    jobs: FrozenJobs
    owner: BlobServiceClient

    def names(self) -> list[str]:
        return [blob.name for blob in self.owner.get_container_client("test-jobs").list_blobs()]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with running_azurite(tmp_path / "azurite", services=["blob"]) as accounts:
        text = accounts["testaccount"]
        with BlobServiceClient.from_connection_string(text) as owner:
            jobs = FrozenJobs(StorageAccess.of(text), "test")
            yield Storage(text, jobs, owner)
            jobs.close()


def test_a_tree_is_kept_once_and_read_as_it_was(storage: Storage) -> None:
    tree = JobFolders(ROOT).read("breast_cancer")

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: storage.jobs.keep(tree), range(4)))

    assert set(kept) == {tree.frozen}
    assert storage.names() == [f"{tree.frozen.tree}.tar"]
    assert FrozenJobs(StorageAccess.of(storage.text), "test").read(tree.frozen) == tree


def test_a_run_is_what_it_was_admitted_as_though_another_version_is_deployed(storage: Storage, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "training", tmp_path / "training")
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    admitted = JobFolders(tmp_path).read("breast_cancer")
    storage.jobs.keep(admitted)

    folder = tmp_path / "training" / "breast_cancer"
    for name in ("train.py", "score.py", "requirements.txt"):
        (folder / name).write_text("# another version\n", encoding="utf-8")
    (tmp_path / "pipelines" / "breast-cancer.yaml").unlink()
    code = RunCode(kept=storage.jobs, deployed=JobFolders(tmp_path), pipelines=Pipelines(tmp_path / "pipelines")).of(
        "breast-cancer", admitted.frozen
    )

    into = tmp_path / "staged"
    code.stage(into)
    assert (into / "train.py").read_bytes() == (ROOT / "training/breast_cancer/train.py").read_bytes()
    parts = scoring_parts(code)
    assert parts.code["score.py"] == (ROOT / "training/breast_cancer/score.py").read_bytes()
    lock = (ROOT / "training/breast_cancer/requirements.txt").read_text(encoding="utf-8")
    assert parts.environment == environment_key(lock)


def test_code_that_is_gone_is_named_with_the_remedy(storage: Storage) -> None:
    with pytest.raises(PermanentError, match="training/breast_cancer/") as caught:
        storage.jobs.read(a_job_tree().frozen)

    assert caught.value.code is Code.CODE_MISSING


@pytest.mark.parametrize("answer", [b"", b"<html>sign in</html>", a_job_tree().pack()[:2048]])
def test_other_bytes_than_were_kept_are_not_believed(storage: Storage, answer: bytes) -> None:
    job = storage.jobs.keep(a_job_tree())
    storage.owner.get_blob_client("test-jobs", f"{job.tree}.tar").upload_blob(answer, overwrite=True)

    with pytest.raises(TransientError, match="not what was kept"):
        storage.jobs.read(job)


def test_a_storage_that_is_away_is_transient_and_a_text_that_is_none_is_named() -> None:
    away = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:9/a;"
    with pytest.raises(TransientError, match="did not answer"):
        FrozenJobs(StorageAccess.of(away), "test").keep(a_job_tree())

    with pytest.raises(PermanentError, match="AzureWebJobsStorage") as refused:
        FrozenJobs(StorageAccess.of("AccountKey=canary"), "test")
    assert "canary" not in str(refused.value)


def test_a_tree_goes_when_nobody_has_stored_or_found_it_for_long(storage: Storage) -> None:
    tree = a_job_tree()
    frozen = storage.jobs.keep(tree)
    now = datetime.now(UTC)

    young = storage.jobs.remove(frozen.tree, unused_for=timedelta(days=1), now=now)
    old = storage.jobs.remove(frozen.tree, unused_for=timedelta(days=1), now=now + timedelta(days=2))
    gone = storage.jobs.remove(frozen.tree, unused_for=timedelta(days=1), now=now)

    assert (young, old, gone) == (False, True, True)
    assert storage.names() == []
    assert storage.jobs.keep(tree) == frozen


def test_a_tree_that_is_taken_up_again_while_it_is_looked_at_stays(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = a_job_tree()
    frozen = storage.jobs.keep(tree)
    container = storage.jobs._container
    found = container.get_blob_client

    class Late:
        """A blob that an admission finds stored between the look and the removal."""

        def __init__(self, blob: BlobClient) -> None:
            self._blob = blob

        def get_blob_properties(self) -> BlobProperties:
            properties = self._blob.get_blob_properties()
            FrozenJobs(StorageAccess.of(storage.text), "test").keep(tree)
            return properties

        def __getattr__(self, name: str) -> object:
            return getattr(self._blob, name)

    monkeypatch.setattr(container, "get_blob_client", lambda name: Late(found(name)))
    later = datetime.now(UTC) + timedelta(days=2)

    assert not storage.jobs.remove(frozen.tree, unused_for=timedelta(days=1), now=later)
    assert storage.names() == [f"{frozen.tree}.tar"]
