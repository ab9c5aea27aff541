"""A registry in memory, and the other collaborators of ``build_image``."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from shared.clients.ledger.image_pins import ImagePinLedger
from shared.messages import FrozenJob
from shared.oci.images import Descriptor, Image, Layer, append, configure, describe, empty_image
from shared.oci.references import ImageName, digest_of
from shared.oci.transfer import ImageRegistry, Parts, StoredManifest, push_image
from shared.training_code.job_trees import JobTree
from shared.training_code.pinned_images import PinnedImages
from shared.training_code.scoring_images import scoring_parts
from tests.support.jobs import a_job_tree
from tests.support.memory_tables import MemoryTables
from tests.support.signing import image_signatures
from tests.support.workflow import START


@dataclass
class InMemoryRegistry:
    """Implements ``shared.oci.transfer.ImageRegistry``; refuses what a real one refuses, and keeps count."""

    host: str = "registry.example"
    manifests: dict[tuple[str, str], StoredManifest] = field(default_factory=dict)
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploaded: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        return self.manifests.get((repository, reference))

    def put_manifest(self, repository: str, tag: str, body: bytes, *, media_type: str) -> bool:
        stored = StoredManifest(media_type=media_type, digest=digest_of(body), body=body)
        self.manifests[repository, tag] = self.manifests[repository, stored.digest] = stored
        return False

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        return None

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        yield self.blobs[repository, digest]

    def delete_manifest(self, repository: str, digest: str) -> None:
        self.manifests = {
            key: stored for key, stored in self.manifests.items() if (key[0], stored.digest) != (repository, digest)
        }

    def tags(self, repository: str) -> list[str]:
        return sorted(name for known, name in self.manifests if known == repository and not name.startswith("sha256:"))

    def get_blob(self, repository: str, digest: str) -> bytes:
        return self.blobs[repository, digest]

    def has_blob(self, repository: str, digest: str) -> bool:
        return (repository, digest) in self.blobs

    def put_blob(self, repository: str, digest: str, content: BinaryIO) -> None:
        blob = content.read()
        assert digest_of(blob) == digest
        self.blobs[repository, digest] = blob
        self.uploaded.append(digest)

    def put_pieces(self, repository: str, pieces: Iterable[bytes], digest: Callable[[], str]) -> None:
        content = b"".join(pieces)
        self.put_blob(repository, digest(), BytesIO(content))

    def copy_blob(self, repository: str, digest: str, *, source: str) -> None:
        self.blobs[repository, digest] = self.blobs[source, digest]
        self.copied.append(digest)


@dataclass
class StoredArtifacts:
    """A run's outputs: path below the model's folder -> content."""

    files: dict[str, bytes]
    fetched: list[str] = field(default_factory=list)

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        self.fetched.append(run_id)
        for name, content in self.files.items():
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass
class OneCode:
    """The same code for every run; a test may put another in its place. ``asked``: for which runs' jobs."""

    tree: JobTree = field(default_factory=a_job_tree)
    asked: list[FrozenJob | None] = field(default_factory=list)

    @property
    def name(self) -> ImageName:
        """Of the dependency image."""
        return scoring_parts(self.tree).dependency_image

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        self.asked.append(job)
        return self.tree


def a_base_image(folder: Path, content: bytes = b"a base layer") -> tuple[Image, Parts]:
    """An image with one layer, whose file lies in ``folder``."""
    file = folder / "base-layer"
    file.write_bytes(content)
    digest = digest_of(content)
    descriptor = Descriptor("application/vnd.oci.image.layer.v1.tar", digest, len(content))
    image = append(empty_image(), Layer(descriptor, digest), created=START, comment="base")
    image = configure(image, environment={"A": "1"}, user="1:1", port=5001, entrypoint=["/server"], command=["--x"])
    return describe(image, {"org.opencontainers.image.title": "base"}), Parts(files={digest: file})


def with_dependency_image(registry: InMemoryRegistry, folder: Path, code: OneCode) -> Image:
    """Push and sign a small dependency image; forgets that it was uploaded."""
    image, parts = a_base_image(folder)
    push_image(registry, image, code.name, parts)
    image_signatures(registry).sign(code.name.repository, image.descriptor, [])
    registry.uploaded.clear()
    return image


class AnyImage:
    """Dependency images without a registry: each is there."""

    def reference(self, name: ImageName, *, pipeline: str) -> str:
        return f"registry.example/{name.repository}@{digest_of(name.reference.encode())}"


def pinned_images(registry: ImageRegistry) -> PinnedImages:
    """The dependency images of a registry, with pins in memory; whether they are signed is not looked at."""
    return PinnedImages(registry, ImagePinLedger(MemoryTables().table("imagepins")), lambda _: None)
