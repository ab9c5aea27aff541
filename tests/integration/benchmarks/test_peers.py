"""A model that a peer's steps have delivered is found in a real registry, and says how many rows it has seen."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers import retraining
from benchmarks.peers.models import Models, model_files, rows_trained_on
from tests.support.registry import RunningRegistry, running_registry

ROWS = 7


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry"), password="open sesame") as found:
        yield found


@pytest.fixture
def models(registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Models]:
    """Nothing is in the repository yet; the peers' steps are set to deliver there."""
    login = {"url": registry.url, "username": registry.username, "password": registry.password}
    settings = {"": registry.url, "_USERNAME": registry.username, "_PASSWORD": registry.password}
    for name, value in settings.items():
        monkeypatch.setenv(f"REGISTRY{name}", value)
    monkeypatch.setenv("REPOSITORY", "models/peer")
    found = Models(login, "models/peer")
    try:
        yield found
    finally:
        found.close()


def a_model(folder: Path) -> bytes:
    features = np.arange(ROWS * 2.0).reshape(ROWS, 2)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, [0, 1] * 3 + [0])
    model_files().save(model, folder)
    return (folder / "model.skops").read_bytes()


def test_what_a_peer_delivers_arrives_and_says_its_rows(models: Models, tmp_path: Path) -> None:
    assert models.tags() == set()
    assert models.wait_for_new(set(), seconds=0.0) is None

    retraining.deliver(a_model(tmp_path), "first")

    found = models.wait_for_new(set(), seconds=30.0)
    assert found is not None
    assert rows_trained_on(models.file(found[0])) == ROWS
    assert models.wait_for_new({"first"}, seconds=0.0) is None


def test_a_model_inside_of_an_image_is_found_too(models: Models, tmp_path: Path) -> None:
    content = a_model(tmp_path)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz") as archive:
        member = tarfile.TarInfo("app/model/model.skops")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

    retraining.deliver(layer.getvalue(), "image", media_type="application/vnd.oci.image.layer.v1.tar+gzip")

    assert rows_trained_on(models.file("image")) == ROWS
