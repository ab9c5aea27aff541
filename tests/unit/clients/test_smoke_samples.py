"""The smoke sample of an image, from the registry."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clients.smoke_samples import LONGEST_SAMPLE, SmokeSamples
from shared.errors import Code, PermanentError
from shared.oci.images import append
from shared.oci.layers import Entry, write_layer
from shared.oci.references import ImageName
from shared.oci.transfer import Parts, push_image
from tests.support.image_registry import InMemoryRegistry, a_base_image
from tests.support.workflow import START

SAMPLE = {"request": {"data": [1]}, "response": [0], "tolerance": 0.5}


class Registry(InMemoryRegistry):
    """In memory; counts what is streamed."""

    streamed = 0

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        self.streamed += 1
        blob = self.blobs[repository, digest]
        for start in range(0, len(blob), 100):
            yield blob[start : start + 100]


@pytest.fixture
def registry() -> Registry:
    return Registry()


def pushed(registry: Registry, folder: Path, files: dict[str, bytes]) -> str:
    base, parts = a_base_image(folder)
    entries = []
    for number, (name, content) in enumerate(files.items()):
        source = folder / f"file-{number}"
        source.write_bytes(content)
        entries.append(Entry(f"var/azureml-app/model/{name}", source))
    packed = folder / "layer"
    with packed.open("wb") as into:
        layer = write_layer(entries, into)
    image = append(base, layer, created=START, comment="model")
    files_of = {**parts.files, layer.descriptor.digest: packed}
    push_image(registry, image, ImageName("models/x", "run"), Parts(files=files_of))
    return f"{registry.host}/models/x@{image.digest}"


def test_it_is_read_from_the_last_layer_once(registry: Registry, tmp_path: Path) -> None:
    files = {"a.bin": b"x" * 5000, "smoke.json": json.dumps(SAMPLE).encode(), "z.bin": b"y" * 5000}
    samples, image = SmokeSamples(registry), pushed(registry, tmp_path, files)
    for _ in range(3):
        sample = samples(image)
        assert sample is not None
        assert (sample.request, sample.response, sample.tolerance) == ({"data": [1]}, [0], 0.5)
    assert registry.streamed == 1


def test_an_image_without_one_has_none(registry: Registry, tmp_path: Path) -> None:
    assert SmokeSamples(registry)(pushed(registry, tmp_path, {"a.bin": b"x"})) is None


def test_a_file_that_is_too_large_is_none(registry: Registry, tmp_path: Path) -> None:
    large = b" " * (LONGEST_SAMPLE + 1)
    assert SmokeSamples(registry)(pushed(registry, tmp_path, {"smoke.json": large})) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"request": 1, "response": 1, "tolerance": -1}'])
def test_a_file_that_is_no_sample_fails_the_candidate(registry: Registry, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        SmokeSamples(registry)(pushed(registry, tmp_path, {"smoke.json": content}))
    assert refused.value.code is Code.CANDIDATE_FAILED


@pytest.mark.parametrize(
    "image", [f"elsewhere.example/x@sha256:{'0' * 64}", "registry.example/x:run", "registry.example/x", "x"]
)
def test_only_images_of_this_registry_by_digest_are_read(registry: Registry, image: str) -> None:
    with pytest.raises(PermanentError) as refused:
        SmokeSamples(registry)(image)
    assert refused.value.code is Code.BAD_REQUEST


def test_an_image_that_is_not_there_is_said_so(registry: Registry) -> None:
    with pytest.raises(PermanentError) as refused:
        SmokeSamples(registry)(f"{registry.host}/models/x@sha256:{'0' * 64}")
    assert refused.value.code is Code.REGISTRY_REFUSED


def test_a_layer_that_is_no_archive_is_said_so(registry: Registry, tmp_path: Path) -> None:
    image = pushed(registry, tmp_path, {"smoke.json": b"{}"})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w"):
        pass
    for key in registry.blobs:
        registry.blobs[key] = registry.blobs[key] if b"architecture" in registry.blobs[key] else b"no archive"
    with pytest.raises(PermanentError) as refused:
        SmokeSamples(registry)(image)
    assert refused.value.code is Code.REGISTRY_REFUSED
