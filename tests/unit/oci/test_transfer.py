import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.oci.references import ImageName, digest_of
from shared.oci.transfer import Parts, find_image, push_image
from tests.support.image_registry import InMemoryRegistry, a_base_image

NAME = ImageName("base/python", "3.11")


@pytest.fixture
def registry() -> InMemoryRegistry:
    return InMemoryRegistry()


def test_a_pushed_image_is_found(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(registry, image, NAME, parts)

    found = find_image(registry, NAME)

    assert found is not None
    assert found.image == image
    assert found.digest == image.digest
    assert find_image(registry, ImageName("base/python", "3.12")) is None


def test_pushing_again_uploads_nothing(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(registry, image, NAME, parts)
    registry.uploaded.clear()

    push_image(registry, image, NAME, parts)

    assert registry.uploaded == []


def test_layers_of_another_repository_are_copied(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(registry, image, NAME, parts)
    registry.uploaded.clear()

    push_image(registry, image, ImageName("models/digits", "run-1"), Parts(repository="base/python"))

    assert registry.copied == [image.layers[0].digest]
    assert registry.uploaded == [image.config_descriptor.digest]


def test_the_tag_comes_last(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, _ = a_base_image(tmp_path)

    with pytest.raises(ValueError, match="nobody has layer sha256:"):
        push_image(registry, image, NAME, Parts())

    assert registry.manifests == {}


def test_the_image_for_linux_on_amd64_is_found_in_an_index(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(registry, image, ImageName("base/python", "amd64"), parts)
    entry = {"digest": image.digest, "platform": {"os": "linux", "architecture": "amd64"}}
    registry.put_manifest("base/python", "3.11", json.dumps({"manifests": [entry]}).encode(), media_type=OCI_INDEX)

    found = find_image(registry, NAME)

    assert found is not None
    assert found.digest == image.digest


def test_a_configuration_that_nobody_can_read_is_none_of_an_image(registry: InMemoryRegistry) -> None:
    nested = b"[" * 100_000
    registry.put_blob("base/python", digest_of(nested), BytesIO(nested))
    manifest = json.dumps({"config": {"digest": digest_of(nested)}, "layers": []}).encode()
    registry.put_manifest("base/python", "3.11", manifest, media_type=OCI_MANIFEST)

    with pytest.raises(ValueError, match="nested"):
        find_image(registry, NAME)


def test_what_is_no_image_is_refused(registry: InMemoryRegistry, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(registry, image, NAME, parts)
    key = (NAME.repository, NAME.reference)
    registry.manifests[key] = replace(registry.manifests[key], media_type="application/vnd.cncf.helm")

    with pytest.raises(ValueError, match=r"it is a application/vnd\.cncf\.helm, not an image"):
        find_image(registry, NAME)
