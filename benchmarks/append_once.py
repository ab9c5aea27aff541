"""Put one model into an image, in a process of its own, and say how long it took and how much memory the process used.

python -m benchmarks.append_once REGISTRY_URL RUN_ID MODEL_FOLDER KEY_FILE

The dependency image's signature is checked, as the app does; its pin is in memory.
"""

import json
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activities.build_image import build_image
from benchmarks.peaks import peak_megabytes
from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.image_trust import ImageTrust
from shared.clients.ledger.built_images import BuiltImageLedger
from shared.clients.ledger.image_pins import ImagePinLedger
from shared.messages import BuildImage, BuiltImage, FrozenJob, Lineage
from shared.signing.image_signatures import ImageSignatures
from shared.signing.keys import FileKeySigner, TrustedKeys
from shared.training_code.job_folders import JobFolders
from shared.training_code.job_trees import JobTree
from shared.training_code.pinned_images import PinnedImages
from tests.support.memory_tables import MemoryTables

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = FOLDER = "digits"


@dataclass(frozen=True)
class Folder:
    """Copies what lies in a folder; stands for the download."""

    source: Path

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:  # noqa: ARG002 - the protocol's
        shutil.copytree(self.source, into, dirs_exist_ok=True)


class Deployed:
    """The code as it lies in this tree."""

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:  # noqa: ARG002 - the protocol's
        return JobFolders(ROOT).read(FOLDER)


def signatures(client: ContainerRegistryClient, key: Path) -> ImageSignatures:
    """Signs with the key of the file, and trusts it alone."""
    signer = FileKeySigner.read(key)
    return ImageSignatures(client, signer, TrustedKeys((signer.public_key,)))


def append_model(client: ContainerRegistryClient, run_id: str, folder: Path, signer: ImageSignatures) -> BuiltImage:
    lineage = Lineage(
        run_id=run_id,
        pipeline=PIPELINE,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=1,
        metrics={"accuracy": 0.95},
    )
    command = BuildImage(lineage=lineage, model_path="outputs/model", created_at=datetime(2026, 5, 1, tzinfo=UTC))
    return build_image(
        command,
        artifacts=Folder(folder),
        code=Deployed(),
        registry=client,
        images=PinnedImages(
            client,
            ImagePinLedger(MemoryTables().table("imagepins")),
            ImageTrust(client, signer.trusted).require_dependency,
        ),
        signer=signer,
        built=BuiltImageLedger(MemoryTables().table("targets")),
    )


def main() -> None:
    url, run_id, folder, key = sys.argv[1:]
    with ContainerRegistryClient(url) as client:
        signer = signatures(client, Path(key))
        start = time.perf_counter()
        built = append_model(client, run_id, Path(folder), signer)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes(), "digest": built.digest}))


if __name__ == "__main__":
    main()
