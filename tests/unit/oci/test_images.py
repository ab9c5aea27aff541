import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci.images import (
    Descriptor,
    Image,
    Layer,
    append,
    choose_platform,
    configure,
    describe,
    empty_image,
    read_image,
)
from shared.oci.media_types import OCI_LAYER_GZIP, OCI_MANIFEST
from shared.oci.references import digest_of

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def a_layer(content: bytes) -> Layer:
    return Layer(Descriptor(OCI_LAYER_GZIP, digest_of(content), len(content)), digest_of(b"tar" + content))


def an_image(*contents: bytes) -> Image:
    image = empty_image()
    for content in contents:
        image = append(image, a_layer(content), created=NOON, comment="test")
    return image


def docker_image() -> tuple[dict[str, Any], dict[str, Any]]:
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest_of(b"c"), "size": 1},
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "digest": digest_of(b"l"),
                "size": 1,
            }
        ],
    }
    config = {
        "architecture": "amd64",
        "os": "linux",
        "docker_version": "20.10",
        "container_config": {"Hostname": "a-build-machine"},
        "config": {"Env": ["PATH=/usr/local/bin"], "Cmd": ["python3"], "Labels": None},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(b"d")]},
        "history": [{"created_by": "ADD"}],
    }
    return manifest, config


@given(contents=st.lists(st.binary(max_size=20), max_size=5))
def test_what_is_written_reads_back(contents: list[bytes]) -> None:
    image = an_image(*contents)

    assert read_image(json.loads(image.manifest), json.loads(image.config_blob)) == image


@given(facts=st.dictionaries(st.text(), st.text()), data=st.data())
def test_the_order_of_facts_does_not_matter(facts: dict[str, str], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(facts.items()))))

    assert describe(an_image(b"a"), shuffled).digest == describe(an_image(b"a"), facts).digest


def test_an_appended_layer_is_in_manifest_and_configuration() -> None:
    image = append(an_image(b"base"), a_layer(b"model"), created=NOON, comment="model of run r")

    manifest, config = json.loads(image.manifest), json.loads(image.config_blob)
    assert manifest["mediaType"] == OCI_MANIFEST
    assert [layer["digest"] for layer in manifest["layers"]] == [digest_of(b"base"), digest_of(b"model")]
    assert config["rootfs"]["diff_ids"] == [digest_of(b"tarbase"), digest_of(b"tarmodel")]
    assert config["history"][-1]["comment"] == "model of run r"
    assert config["created"] == "2026-05-01T12:00:00Z"
    assert manifest["config"]["digest"] == digest_of(image.config_blob)
    assert image.size == len(image.manifest) + len(image.config_blob) + len(b"base") + len(b"model")


def test_the_base_is_left_as_it_was() -> None:
    base = an_image(b"base")
    before = base.digest

    describe(append(base, a_layer(b"model"), created=NOON, comment=""), {"a": "b"})

    assert base.digest == before


def test_created_is_the_same_moment_in_every_time_zone() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=9)))

    images = [append(an_image(), a_layer(b"m"), created=moment, comment="") for moment in (NOON, there)]

    assert images[0].digest == images[1].digest


def test_labels_are_inherited_and_annotations_are_not() -> None:
    base = describe(an_image(b"base"), {"maker": "x", "title": "base"})

    image = describe(base, {"title": "model"})

    assert image.config["config"]["Labels"] == {"maker": "x", "title": "model"}
    assert image.annotations == {"title": "model"}


def test_docker_becomes_oci() -> None:
    image = describe(read_image(*docker_image()), {"title": "t"})

    manifest, config = json.loads(image.manifest), json.loads(image.config_blob)
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert [layer["mediaType"] for layer in manifest["layers"]] == [OCI_LAYER_GZIP]
    assert "docker" not in image.manifest.decode()
    assert set(config) == {"architecture", "os", "config", "rootfs", "history"}


def test_configuring_keeps_the_variables_of_the_base() -> None:
    base = read_image(*docker_image())

    image = configure(base, environment={"HOME": "/tmp"}, user="1:1", port=5001, entrypoint=["a"], command=["b"])

    assert image.config["config"] == {
        "Env": ["PATH=/usr/local/bin", "HOME=/tmp"],
        "User": "1:1",
        "ExposedPorts": {"5001/tcp": {}},
        "Entrypoint": ["a"],
        "Cmd": ["b"],
        "Labels": None,
    }


def test_of_several_platforms_linux_on_amd64_is_chosen() -> None:
    index = {
        "manifests": [
            {"digest": digest_of(b"arm"), "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": "attestation"},
            {"digest": digest_of(b"amd"), "platform": {"os": "linux", "architecture": "amd64"}},
        ]
    }
    assert choose_platform(index) == digest_of(b"amd")

    with pytest.raises(ValueError, match="no image for linux/amd64"):
        choose_platform({"manifests": index["manifests"][:2]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": "arm64"}, "made for linux/arm64, not linux/amd64"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, "lists 0 layers, its manifest 1"),
    ],
)
def test_what_nothing_can_be_put_on_is_refused(change: dict[str, Any], said: str) -> None:
    manifest, config = docker_image()

    with pytest.raises(ValueError, match=said):
        read_image(manifest, config | change)


def test_a_layer_that_may_not_be_copied_is_refused() -> None:
    manifest, config = docker_image()
    manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

    with pytest.raises(ValueError, match="is not a layer that can be part"):
        read_image(manifest, config)


@pytest.mark.parametrize("digest", ["../../other/manifests/latest", "sha256:12", "", 7, None])
def test_a_blob_is_named_by_a_digest_or_not_at_all(digest: object) -> None:
    manifest, config = docker_image()
    manifest["layers"][0]["digest"] = digest

    with pytest.raises(ValueError, match="not a sha256 digest"):
        read_image(manifest, config)


ENDLESS = {"mediaType": OCI_LAYER_GZIP, "digest": digest_of(b"x"), "size": float("inf")}  # JSON's 1e999


@pytest.mark.parametrize(
    "wrong", [{"layers": None}, {"layers": [7]}, {"layers": {"a": 1}}, {"layers": [{}]}, {"layers": [ENDLESS]}]
)
def test_a_manifest_of_another_shape_is_reported_as_one(wrong: dict[str, Any]) -> None:
    manifest, config = docker_image()

    with pytest.raises(ValueError, match=r"is not that of an image|is not a"):
        read_image(manifest | wrong, config)
    with pytest.raises(ValueError, match="no image for linux/amd64"):
        choose_platform({"manifests": wrong})
