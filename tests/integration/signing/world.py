"""A pipeline in a real registry: its dependency image, its models' images, and what an attacker can do who may push."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from activities.build_image import build_image
from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.image_trust import ImageTrust
from shared.clients.ledger.built_images import BuiltImageLedger
from shared.clients.ledger.image_pins import ImagePinLedger
from shared.messages import BuildImage, BuiltImage, Lineage, TrainingOrder
from shared.oci.images import Image, append
from shared.oci.layers import folder_entries, write_layer
from shared.oci.media_types import OCI_MANIFEST
from shared.oci.references import ImageName
from shared.oci.transfer import FoundImage, Parts, find_image, push_image
from shared.signing.image_signatures import ImageSignatures
from shared.training_code.pinned_images import PinnedImages
from tests.support.builders import FINGERPRINT, a_snapshot, a_workload
from tests.support.image_registry import OneCode, StoredArtifacts, a_base_image
from tests.support.jobs import a_sealed_tree
from tests.support.memory_tables import MemoryTables
from tests.support.signing import image_signatures, trusting
from tests.support.workflow import START

MODEL = {"model.skops": b"weights", "parts/one.bin": b"1", "smoke.json": b"{}"}


@dataclass
class World:
    """The app signs with ``a key``; ``trusted`` are the names of the keys that count."""

    client: ContainerRegistryClient
    pipeline: str
    folder: Path
    trusted: tuple[str, ...] = ("a key",)
    signs_with: str = "a key"
    artifacts: StoredArtifacts = field(default_factory=lambda: StoredArtifacts(dict(MODEL)))
    tables: MemoryTables = field(default_factory=MemoryTables)

    def __post_init__(self) -> None:
        self.code = OneCode(replace(a_sealed_tree(), folder=self.pipeline))
        image, parts = a_base_image(self.folder, self.pipeline.encode())
        push_image(self.client, image, self.code.name, parts)
        self.signatures.sign(self.code.name.repository, image.descriptor, [])
        self.dependency = image

    @property
    def signatures(self) -> ImageSignatures:
        return image_signatures(self.client, self.signs_with)

    @property
    def trust(self) -> ImageTrust:
        return ImageTrust(self.client, trusting(*self.trusted))

    @property
    def images(self) -> PinnedImages:
        pins = ImagePinLedger(self.tables.table("imagepins"))
        return PinnedImages(self.client, pins, self.trust.require_dependency)

    def command(self, run_id: str = "run-1") -> BuildImage:
        lineage = Lineage(
            run_id=run_id,
            pipeline=self.pipeline,
            fingerprint=FINGERPRINT,
            snapshot_digest="cd" * 32,
            blobs=3,
            metrics={"accuracy": 0.95},
            holdout="ef" * 32,
        )
        return BuildImage(lineage=lineage, model_path="outputs/model", created_at=START)

    def build(self, run_id: str = "run-1") -> BuiltImage:
        return build_image(
            self.command(run_id),
            artifacts=self.artifacts,
            code=self.code,
            registry=self.client,
            images=self.images,
            signer=self.signatures,
            built=BuiltImageLedger(self.tables.table("targets")),
        )

    def order(self) -> TrainingOrder:
        """An order to train in the dependency image."""
        return TrainingOrder(
            run_id="run-1",
            pipeline=self.pipeline,
            compute="hub-vm",
            snapshot=a_snapshot(holdout="rows"),
            parameters={},
            fingerprint=FINGERPRINT,
            job=self.code.tree.frozen,
            running_seconds=60.0,
            workload=a_workload(),
        )

    def found(self, built: BuiltImage) -> FoundImage:
        found = find_image(self.client, ImageName(built.repository, built.digest))
        assert found is not None
        return found

    def reference(self, repository: str, digest: str) -> str:
        return f"{self.client.host}/{repository}@{digest}"

    def with_a_layer(self, image: Image, repository: str, files: dict[str, bytes], *, tag: str) -> Image:
        """Push the image with one more layer on top, as whoever may push can, and move the tag there."""
        source, packed = self.folder / "evil", self.folder / "evil.tar.gz"
        for name, content in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        with packed.open("wb") as into:
            layer = write_layer(folder_entries(source, at="opt"), into)
        evil = append(image, layer, created=START, comment="nothing to see")
        parts = Parts(files={layer.descriptor.digest: packed}, repository=repository)
        push_image(self.client, evil, ImageName(repository, tag), parts)
        return evil

    def push(self, image: Image, repository: str, *, source: str, tag: str) -> str:
        """Bring an image of one repository into another, as it is."""
        push_image(self.client, image, ImageName(repository, tag), Parts(repository=source))
        return self.reference(repository, image.digest)

    def forget_attachments(self, repository: str, digest: str) -> None:
        """Point the index of what is attached to an image at nothing."""
        empty = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
        media_type = "application/vnd.oci.image.index.v1+json"
        self.client.put_manifest(repository, digest.replace(":", "-"), empty, media_type=media_type)

    def move_tag(self, name: ImageName, image: Image) -> None:
        self.client.put_manifest(name.repository, name.reference, image.manifest, media_type=OCI_MANIFEST)
