import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from activities.build_image import build_image
from activities.remove_image import remove_if_cancelled
from shared.clients.image_trust import ImageTrust
from shared.clients.ledger.built_images import BuiltImageLedger
from shared.clients.ledger.image_pins import ImagePinLedger
from shared.errors import Code, PermanentError
from shared.messages import Actor, ActorKind, BuildImage, BuiltImage, Cancellation, Lineage
from shared.oci.media_types import OCI_MANIFEST
from shared.oci.references import ImageName, digest_of
from shared.oci.referrers import fallback_tag
from shared.oci.transfer import FoundImage, find_image
from shared.training_code.pinned_images import PinnedImages
from tests.support.builders import FINGERPRINT, a_run_request
from tests.support.image_registry import (
    InMemoryRegistry,
    OneCode,
    StoredArtifacts,
    with_dependency_image,
)
from tests.support.jobs import A_FROZEN_JOB, a_job_tree, a_sealed_tree
from tests.support.memory_tables import MemoryTables, memory_ledger
from tests.support.signing import image_signatures, trusting
from tests.support.workflow import START

RUN = a_run_request().run_id
MODEL = {"model.joblib": b"weights", "smoke.json": b"{}"}


class Bench:
    """``build_image`` with collaborators that can be looked into."""

    def __init__(self, folder: Path) -> None:
        self.registry = InMemoryRegistry()
        self.artifacts = StoredArtifacts(dict(MODEL))
        self.code = OneCode()
        self.base = with_dependency_image(self.registry, folder, self.code)
        self.pins = ImagePinLedger(MemoryTables().table("imagepins"))
        self.built = BuiltImageLedger(MemoryTables().table("targets"))
        self.trusted = trusting()

    def build(self, command: BuildImage) -> BuiltImage:
        trust = ImageTrust(self.registry, self.trusted)
        return build_image(
            command,
            artifacts=self.artifacts,
            code=self.code,
            registry=self.registry,
            images=PinnedImages(self.registry, self.pins, trust.require_dependency),
            signer=image_signatures(self.registry),
            built=self.built,
        )

    def move_the_dependency_image(self) -> str:
        """Point its tag at another image; returns that one's digest."""
        other, name = replace(self.base, annotations={"rebuilt": "yes"}), self.code.name
        self.registry.put_manifest(name.repository, name.reference, other.manifest, media_type=OCI_MANIFEST)
        return digest_of(other.manifest)

    def image(self) -> FoundImage:
        found = find_image(self.registry, ImageName("models/breast-cancer", RUN))
        assert found is not None
        return found

    def names_in_the_last_layer(self) -> list[str]:
        blob = self.registry.get_blob("models/breast-cancer", self.image().image.layers[-1].digest)
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            return [member.name for member in archive.getmembers() if member.isfile()]


@pytest.mark.parametrize("continues", [False, True])
def test_an_image_that_is_built_while_its_run_is_cancelled_is_removed(bench: Bench, *, continues: bool) -> None:
    """No activity is stopped by a cancel, so the image may be pushed after it was removed."""
    ledger, this = memory_ledger(), RUN.removesuffix("-1") + "-2" if continues else RUN
    ledger.runs.claim_run(a_run_request(run_id=this))
    command = replace(a_command(), for_run=this if continues else "")
    known = set(bench.registry.manifests)
    built = bench.build(command)

    def remove() -> None:
        remove_if_cancelled(command, registry=bench.registry, images=bench.built, runs=ledger.runs)

    remove()
    assert bench.image().digest == built.digest
    ledger.runs.cancel(this, Cancellation(by=Actor(kind=ActorKind.KEY, name="ops"), reason="no", at=START))
    with pytest.raises(PermanentError) as refused:
        remove()

    assert refused.value.code is Code.RUN_CANCELLED
    assert set(bench.registry.manifests) == known
    assert (bench.built.of(RUN), bench.built.of(this)) == (None, None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def a_command() -> BuildImage:
    lineage = Lineage(
        run_id=RUN,
        pipeline="breast-cancer",
        fingerprint=FINGERPRINT,
        snapshot_digest="cd" * 32,
        blobs=3,
        metrics={"log_loss": 0.1, "accuracy": 0.95},
    )
    return BuildImage(lineage=lineage, model_path="outputs/model", created_at=START)


def test_the_image_is_the_dependency_image_with_a_layer_of_model_and_script(bench: Bench) -> None:
    built = bench.build(a_command())

    image = bench.image().image
    assert image.layers[:-1] == bench.base.layers
    assert bench.names_in_the_last_layer() == [
        "var/azureml-app/model/model.joblib",
        "var/azureml-app/model/smoke.json",
        "var/azureml-app/score.py",
    ]
    assert image.config["config"]["Entrypoint"] == ["/server"]
    assert built.reference == f"registry.example/models/breast-cancer@{built.digest}"
    assert built.digest == bench.image().digest
    assert built.size == image.size


def test_labels_and_annotations_say_where_it_comes_from(bench: Bench) -> None:
    bench.build(a_command())

    image = bench.image().image
    facts = dict(image.annotations)
    assert facts["io.edgetrain.run-id"] == RUN
    assert facts["io.edgetrain.pipeline"] == "breast-cancer"
    assert facts["io.edgetrain.fingerprint"] == FINGERPRINT
    assert facts["io.edgetrain.snapshot-digest"] == "cd" * 32
    assert json.loads(facts["io.edgetrain.metrics"]) == {"accuracy": 0.95, "log_loss": 0.1}
    assert facts["org.opencontainers.image.created"] == "2026-05-01T10:00:00Z"
    assert facts["org.opencontainers.image.base.digest"] == bench.base.digest
    assert image.config["config"]["Labels"].items() >= facts.items()


def test_a_repeat_finds_the_image_and_moves_nothing(bench: Bench) -> None:
    first = bench.build(a_command())
    bench.registry.uploaded.clear()
    bench.artifacts.fetched.clear()

    assert bench.build(a_command()) == first
    assert bench.registry.uploaded == []
    assert bench.artifacts.fetched == []


def test_after_a_kill_before_the_tag_the_same_image_is_made(bench: Bench) -> None:
    first = bench.build(a_command())
    del bench.registry.manifests["models/breast-cancer", RUN]

    assert bench.build(a_command()) == first


@pytest.mark.parametrize("lost", [False, True])
def test_after_a_kill_before_the_signature_only_a_lost_layer_is_sent_again(bench: Bench, lost: bool) -> None:
    first = bench.build(a_command())
    layer = bench.image().image.layers[-1].digest
    index = bench.registry.get_manifest("models/breast-cancer", fallback_tag(first.digest))
    assert index is not None
    bench.registry.delete_manifest("models/breast-cancer", index.digest)
    if lost:
        del bench.registry.blobs["models/breast-cancer", layer]
    bench.registry.uploaded.clear()

    assert bench.build(a_command()) == first
    assert (layer in bench.registry.uploaded) is lost
    assert image_signatures(bench.registry).is_signed("models/breast-cancer", first.digest)


def test_a_dependency_image_that_was_moved_is_refused_until_it_is_pinned_anew(bench: Bench) -> None:
    first = bench.build(a_command())
    digest = bench.move_the_dependency_image()

    with pytest.raises(PermanentError) as caught:
        bench.build(a_command())
    assert caught.value.code is Code.IMAGE_MOVED
    assert bench.base.digest in caught.value.reason
    assert "`edgetrain dependency-image --pipeline breast-cancer --pin`" in caught.value.reason

    bench.pins.pin_anew(bench.code.name, digest, START)
    with pytest.raises(PermanentError) as unsigned:
        bench.build(a_command())
    assert unsigned.value.code is Code.SIGNATURE_REFUSED

    moved = find_image(bench.registry, bench.code.name)
    assert moved is not None
    image_signatures(bench.registry).sign(moved.repository, moved.descriptor, [])
    second = bench.build(a_command())
    assert second.digest != first.digest
    assert bench.image().digest == second.digest


def test_all_code_of_a_sealed_training_is_beside_its_model(bench: Bench, tmp_path: Path) -> None:
    bench.code.tree = a_sealed_tree(files={"parts/words.py": b"WORDS = 1"})
    with_dependency_image(bench.registry, tmp_path, bench.code)

    bench.build(a_command())

    image = bench.image().image
    assert image.annotations["io.edgetrain.code"] == bench.code.tree.frozen.tree
    assert bench.names_in_the_last_layer() == [
        "var/azureml-app/evaluate.py",
        "var/azureml-app/model/model.joblib",
        "var/azureml-app/model/smoke.json",
        "var/azureml-app/parts/words.py",
        "var/azureml-app/sample.json",
        "var/azureml-app/score.py",
        "var/azureml-app/train.py",
    ]


def test_the_script_and_the_libraries_are_those_that_the_run_was_admitted_with(bench: Bench) -> None:
    bench.build(replace(a_command(), job=A_FROZEN_JOB))

    assert bench.code.asked == [A_FROZEN_JOB]
    assert bench.image().image.annotations["io.edgetrain.environment"] == bench.code.name.reference


def test_a_missing_dependency_image_names_the_command_that_makes_it(bench: Bench) -> None:
    bench.code.tree = a_job_tree(pins="numpy==2.1")

    with pytest.raises(PermanentError) as caught:
        bench.build(a_command())

    assert caught.value.code == Code.DEPENDENCY_IMAGE_MISSING
    assert f"has no dependency image {bench.code.name};" in caught.value.reason
    assert "`edgetrain dependency-image --pipeline breast-cancer`" in caught.value.reason


def test_an_unusable_dependency_image_is_to_be_rebuilt(bench: Bench) -> None:
    name = bench.code.name
    key = (name.repository, name.reference)
    bench.registry.manifests[key] = replace(bench.registry.manifests[key], media_type="text/plain")

    with pytest.raises(PermanentError, match=r"cannot be used: it is a text/plain.* --rebuild") as caught:
        bench.build(a_command())

    assert caught.value.code == Code.DEPENDENCY_IMAGE_MISSING


def test_a_run_without_a_model_is_refused(bench: Bench) -> None:
    bench.artifacts.files.clear()

    with pytest.raises(PermanentError, match=f"run {RUN} left no model below outputs/model") as caught:
        bench.build(a_command())

    assert caught.value.code == Code.MODEL_MISSING
    assert bench.registry.uploaded == []
