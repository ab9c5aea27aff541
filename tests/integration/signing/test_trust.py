"""What whoever may push to a real registry can put there, and that none of it is run."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from activities.submit_training import submit_training
from shared.clients.container_registry import SMALL_BLOB, ContainerRegistryClient
from shared.clients.image_trust import BASE_DIGEST, BASE_NAME, ImageTrust
from shared.errors import Code, PermanentError
from shared.messages import BuiltImage, TrainingOrder, TrainingStatus
from shared.oci.images import describe
from shared.oci.references import ImageName
from shared.oci.referrers import Artifact, attach
from shared.signing.attachments import PREDICATE, Attachments
from shared.signing.bundles import MEDIA_TYPE
from shared.signing.image_signatures import about_image
from shared.signing.keys import TrustedKeys
from shared.signing.statements import IMAGE, MODEL, PROVENANCE, SBOM
from tests.integration.signing.world import World
from tests.support.memory_tables import memory_ledger
from tests.support.signing import image_signatures, trusting
from tests.support.training import MemoryDriver


def refusal(world: World, image: str) -> str:
    """Why the image is refused."""
    with pytest.raises(PermanentError) as caught:
        world.trust.require(image)
    assert caught.value.code is Code.SIGNATURE_REFUSED
    return caught.value.reason


def test_what_the_app_builds_is_trusted_and_says_everything(world: World) -> None:
    built = world.build()

    world.trust.require(built.reference)
    attachments = Attachments(world.client)
    for kind in (SBOM, PROVENANCE, MODEL, IMAGE):
        assert attachments.find(built.repository, built.digest, kind, trusting()) is not None, kind
    bom = world.signatures.sbom(built.repository, built.digest)
    assert bom["metadata"]["component"]["version"] == built.digest


def test_a_repeated_build_finds_what_is_there(world: World) -> None:
    first = world.build()
    tag = first.digest.replace(":", "-")
    before = world.client.get_manifest(first.repository, tag)
    world.artifacts.fetched.clear()

    assert world.build() == first
    assert world.client.get_manifest(first.repository, tag) == before
    assert world.artifacts.fetched == []


def test_a_build_that_was_killed_before_it_signed_is_completed(world: World) -> None:
    first = world.build()
    world.forget_attachments(first.repository, first.digest)
    refusal(world, first.reference)

    assert world.build() == first
    world.trust.require(first.reference)


def test_a_tampered_image_is_refused(world: World) -> None:
    built = world.build()
    evil = world.with_a_layer(world.found(built).image, built.repository, {"x.py": b"evil"}, tag="run-1")

    assert "nobody has signed it" in refusal(world, world.reference(built.repository, evil.digest))
    world.trust.require(built.reference)


def test_a_moved_tag_leads_nowhere(world: World) -> None:
    built = world.build()
    world.with_a_layer(world.found(built).image, built.repository, {"x.py": b"evil"}, tag="run-1")

    assert "tag" in refusal(world, f"{world.client.host}/{built.repository}:run-1")
    assert world.build() == built, "the build finds no signed image under the tag, and moves it back"
    stored = world.client.get_manifest(built.repository, "run-1")
    assert stored is not None
    assert stored.digest == built.digest


def test_a_signature_that_is_gone_is_missed(world: World) -> None:
    built = world.build()
    world.forget_attachments(built.repository, built.digest)

    assert "nobody has signed it" in refusal(world, built.reference)


def test_a_signature_by_another_key_is_refused(world: World) -> None:
    built = world.build()
    evil = world.with_a_layer(world.found(built).image, built.repository, {"x.py": b"evil"}, tag="evil")
    image_signatures(world.client, "another").sign(built.repository, evil.descriptor, [])

    assert "none of the trusted keys" in refusal(world, world.reference(built.repository, evil.digest))


def test_the_signature_of_another_image_copied_over_is_refused(world: World) -> None:
    built = world.build()
    evil = world.with_a_layer(world.found(built).image, built.repository, {"x.py": b"evil"}, tag="evil")
    for _, bundle in Attachments(world.client).bundles(built.repository, built.digest, IMAGE):
        stolen = Artifact(media_type=MEDIA_TYPE, content=bundle, annotations={PREDICATE: IMAGE})
        attach(world.client, built.repository, evil.descriptor, [stolen])

    assert "another image" in refusal(world, world.reference(built.repository, evil.digest))


def test_the_signature_of_a_bill_of_materials_is_none_of_the_image(world: World) -> None:
    """Every statement of a key counts for its own type only, whatever its annotation says."""
    built = world.build()
    world.forget_attachments(built.repository, built.digest)
    attached = world.signatures.attach(
        built.repository, world.found(built).descriptor, about_image(built.repository, built.digest, SBOM, {})
    )
    stolen = Artifact(media_type=MEDIA_TYPE, content=attached.bundle, annotations={PREDICATE: IMAGE})
    attach(world.client, built.repository, world.found(built).descriptor, [stolen])

    assert "another kind" in refusal(world, built.reference)


def test_a_signed_image_in_another_repository_is_refused(world: World) -> None:
    built = world.build()
    image = world.found(built).image
    moved = world.push(image, f"models/{world.pipeline}-other", source=built.repository, tag="x")
    for _, bundle in Attachments(world.client).bundles(built.repository, built.digest, IMAGE):
        copied = Artifact(media_type=MEDIA_TYPE, content=bundle, annotations={PREDICATE: IMAGE})
        attach(world.client, f"models/{world.pipeline}-other", image.descriptor, [copied])

    assert "another image" in refusal(world, moved)


def test_what_else_is_attached_does_not_hide_the_signature(world: World) -> None:
    """Who may push can attach something too large to be read, or nested too deeply."""
    built = world.build()
    for content in (b" " * (SMALL_BLOB + 1), b"[" * 100_000):
        junk = Artifact(media_type=MEDIA_TYPE, content=content, annotations={PREDICATE: IMAGE})
        attach(world.client, built.repository, world.found(built).descriptor, [junk])

    world.trust.require(built.reference)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", ""])
def test_a_foreign_registry_is_refused_without_being_asked(world: World, host: str) -> None:
    built = world.build()

    assert "not in the registry" in refusal(world, built.reference.replace(world.client.host, host))


@pytest.mark.parametrize(
    "rest", ["models/x@sha256:" + "0" * 64, "models/x@sha256:12", "MODELS/x@sha256:" + "0" * 64, "models/x", ""]
)
def test_names_of_nothing_are_refused(world: World, rest: str) -> None:
    refusal(world, f"{world.client.host}/{rest}")


def test_a_dependency_image_with_a_slipped_in_sitecustomize_trains_and_serves_nothing(world: World) -> None:
    name = world.code.name
    evil = world.with_a_layer(
        world.dependency, name.repository, {"site/sitecustomize.py": b"import os"}, tag=name.reference
    )
    driver = MemoryDriver()

    for attempt in (world.build, lambda: submitted(world, world.order(), driver)):
        with pytest.raises(PermanentError) as caught:
            attempt()
        assert caught.value.code is Code.SIGNATURE_REFUSED
        assert evil.digest in caught.value.reason
    assert driver.jobs == {}


def test_a_pinned_dependency_image_that_lost_its_signature_trains_nothing(world: World) -> None:
    driver = MemoryDriver()
    world.images.find(world.code.name, pipeline=world.pipeline)  # pins it
    world.forget_attachments(world.code.name.repository, world.dependency.digest)

    with pytest.raises(PermanentError) as caught:
        submitted(world, world.order(), driver)
    assert caught.value.code is Code.SIGNATURE_REFUSED
    assert driver.jobs == {}


def submitted(world: World, order: TrainingOrder, driver: MemoryDriver) -> TrainingStatus:
    return submit_training(
        order,
        driver=driver,
        code=world.code,
        images=world.images,
        trusted=world.trust.require,
        runs=memory_ledger().runs,
    )


def submitted_beside(world: World, champion: BuiltImage, driver: MemoryDriver) -> TrainingStatus:
    order = replace(world.order(), champion="champion-1", champion_image=champion.reference)
    return submitted(world, order, driver)


def test_a_champion_that_was_signed_is_measured_in_its_own_image(world: World) -> None:
    champion, driver = world.build("champion-1"), MemoryDriver()

    status = submitted_beside(world, champion, driver)

    assert status.unmeasured == ""
    ordered = json.loads(driver.jobs["run-1"].order)["champion"]
    assert ordered == {"run_id": "champion-1", "image": champion.reference}


def test_a_champion_whose_signature_is_gone_runs_nowhere_and_the_training_goes_without_it(world: World) -> None:
    champion, driver = world.build("champion-1"), MemoryDriver()
    world.forget_attachments(champion.repository, champion.digest)

    status = submitted_beside(world, champion, driver)

    assert champion.digest in status.unmeasured
    assert "sign-image" in status.unmeasured
    assert json.loads(driver.jobs["run-1"].order)["champion"] is None


def test_a_signed_model_on_an_unsigned_dependency_image_is_refused(world: World) -> None:
    built = world.build()
    world.forget_attachments(world.code.name.repository, world.dependency.digest)

    assert str(world.code.name.repository) in refusal(world, built.reference)


@pytest.mark.parametrize(
    "facts",
    [
        lambda _: {},
        lambda base: {BASE_NAME: base.repository, BASE_DIGEST: "x"},
        lambda base: {BASE_NAME: f"{base.repository}:1", BASE_DIGEST: "a-tag"},
    ],
    ids=["nothing", "no digest", "a tag"],
)
def test_a_signed_image_that_names_no_dependency_image_is_refused(
    world: World, facts: Callable[[ImageName], dict[str, str]]
) -> None:
    built = world.build()
    other = describe(world.found(built).image, facts(world.code.name))
    reference = world.push(other, built.repository, source=built.repository, tag="other")
    world.signatures.sign(built.repository, other.descriptor, [])

    assert "dependency image" in refusal(world, reference)


def test_a_signed_image_must_begin_with_the_layers_of_its_dependency_image(world: World) -> None:
    built = world.build()
    image = world.found(built).image
    config = dict(image.config)
    config["rootfs"] = {"type": "layers", "diff_ids": config["rootfs"]["diff_ids"][1:]}
    other = replace(image, layers=image.layers[1:], config=config)
    reference = world.push(other, built.repository, source=built.repository, tag="other")
    world.signatures.sign(built.repository, other.descriptor, [])

    assert "begin with the layers" in refusal(world, reference)


def test_keys_are_rotated_without_an_interruption(world: World) -> None:
    old = world.build("run-old")
    world.trusted, world.signs_with = ("a key", "the next key"), "the next key"
    new = world.build("run-new")
    for image in (old, new):
        world.trust.require(image.reference)

    world.trusted = ("the next key",)
    assert "none of the trusted keys" in refusal(world, old.reference)
    assert "none of the trusted keys" in refusal(world, new.reference), "its dependency image is signed by the old one"
    world.signatures.sign(world.code.name.repository, world.dependency.descriptor, [])
    world.trust.require(new.reference)
    assert world.build("run-old").digest == old.digest, "a repeated build signs anew"
    world.trust.require(old.reference)


def test_without_a_trusted_key_nothing_runs_and_the_setting_is_named(
    world: World, client: ContainerRegistryClient
) -> None:
    built = world.build()

    with pytest.raises(PermanentError) as caught:
        ImageTrust(client, TrustedKeys()).require(built.reference)
    assert caught.value.code is Code.BAD_CONFIGURATION
    assert "EDGETRAIN_SIGNING__TRUSTED_KEYS" in caught.value.reason


def test_rubbish_beside_a_signature_changes_nothing(world: World) -> None:
    built = world.build()
    subject = world.found(built).descriptor
    for content in (b"", b"{}", b"[1]", json.dumps({"dsseEnvelope": {"payload": 1}}).encode()):
        rubbish = Artifact(media_type=MEDIA_TYPE, content=content, annotations={PREDICATE: IMAGE})
        attach(world.client, built.repository, subject, [rubbish])

    world.trust.require(built.reference)
