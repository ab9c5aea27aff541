"""Put the model of a run into an image, and sign it: one layer on top of the pipeline's dependency image.

Nothing is run and no engine is needed; only the new layer is sent. The same command makes the same digest. Signed are
what the image consists of, where it comes from, the model's folder and, last, the image itself.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from shared.errors import Code, PermanentError
from shared.messages import BuildImage, BuiltImage, FrozenJob, KnownImage
from shared.oci.images import Image, append, describe, timestamp
from shared.oci.layers import Entry, Packing, folder_entries, model_level
from shared.oci.references import ImageName
from shared.oci.removal import RUN_LABEL
from shared.oci.transfer import FoundImage, ImageRegistry, Parts, find_image, provide_layers, tag_image
from shared.signing.image_signatures import ImageSigner, about_image
from shared.signing.model_folders import ModelFile, in_order, model_digest, model_statement
from shared.signing.provenance import provenance
from shared.signing.sbom import model_bom
from shared.signing.statements import PROVENANCE, SBOM, Statement
from shared.training_code.job_trees import JobTree
from shared.training_code.scoring_images import APP_ROOT, MODEL_ROOT, ScoringParts, scoring_parts


class ModelArtifacts(Protocol):
    """Downloads the files that a training wrote."""

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        """Download every file below ``model_path`` in the run's outputs; an empty result when there is none."""


class RunCode(Protocol):
    """Reads the code of admitted runs."""

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        """The code that the run was admitted with; raises :class:`PermanentError` when it is not stored any more."""


class DependencyImages(Protocol):
    """Finds dependency images."""

    def find(self, name: ImageName, *, pipeline: str) -> FoundImage:
        """The pinned image; raises :class:`PermanentError` when it is not there, moved, or not signed."""


class Images(Protocol):
    """Keeps which image was built for which run."""

    def keep(self, image: KnownImage) -> None:
        """Record the image of a run; a repeat replaces it."""


def build_image(
    command: BuildImage,
    *,
    artifacts: ModelArtifacts,
    code: RunCode,
    registry: ImageRegistry,
    images: DependencyImages,
    signer: ImageSigner,
    built: Images,
) -> BuiltImage:
    """Append the model, push it, tag it with the run id and sign it; a repeat finds the image of the first command."""
    pipeline = command.lineage.pipeline
    parts = scoring_parts(code.of(pipeline, command.job))
    name = ImageName(f"models/{pipeline}", command.lineage.run_id)
    with ThreadPoolExecutor(max_workers=1) as beside:
        looked = beside.submit(_find, registry, name)
        base = images.find(parts.dependency_image, pipeline=pipeline)
    facts, known = _facts(command, parts, base), looked.result()

    # A run's outputs never change, so an image with the same labels has the same model.
    pushed = known is not None and known.image.annotations == facts
    if known is not None and pushed and signer.is_signed(name.repository, known.digest):
        digest, size = known.digest, known.image.size
    else:
        build = _Build(command=command, parts=parts, base=base, registry=registry, pushed=pushed)
        image = build.make(facts, artifacts=artifacts, signer=signer)
        digest, size = image.digest, image.size
    reference = f"{registry.host}/{name.repository}@{digest}"
    known_as = KnownImage(
        run_id=command.lineage.run_id,
        pipeline=pipeline,
        reference=reference,
        parents=(f"{base.repository}@{base.digest}",),
        at=command.created_at,
    )
    built.keep(known_as)
    if command.for_run:
        built.keep(replace(known_as, run_id=command.for_run))
    return BuiltImage(repository=name.repository, digest=digest, reference=reference, size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """Makes one image. ``pushed``: it is in the registry already, and only not signed."""

    command: BuildImage
    parts: ScoringParts
    base: FoundImage
    registry: ImageRegistry
    pushed: bool

    def make(self, facts: Mapping[str, str], *, artifacts: ModelArtifacts, signer: ImageSigner) -> Image:
        """Push the image and sign it."""
        command, base, registry = self.command, self.base, self.registry
        name = ImageName(f"models/{command.lineage.pipeline}", command.lineage.run_id)
        with ThreadPoolExecutor(max_workers=2) as beside:
            below = beside.submit(signer.sbom, base.repository, base.digest)
            lower = beside.submit(
                provide_layers, registry, name.repository, base.image.layers, Parts(repository=base.repository)
            )
            packing = self._layer(artifacts, name.repository)
            lower.result()
            comment = f"model of run {command.lineage.run_id}"
            appended = append(base.image, packing.layer, created=command.created_at, comment=comment)
            image = describe(appended, facts)
            tag_image(registry, image, name)
            statements = _statements(
                command, self.parts, base, image, files=_model_files(packing), below=below.result()
            )
        signer.sign(name.repository, image.descriptor, statements)
        return image

    def _layer(self, artifacts: ModelArtifacts, repository: str) -> Packing:
        """Bring the layer with model and code there; it is sent while it is packed, and never lies on the disk."""
        with TemporaryDirectory(prefix="edgetrain-image-") as folder:
            entries, files = _layer_entries(self.command, self.parts, artifacts, Path(folder))
            level = model_level(files)
            packing = Packing(entries, level=level)
            if self.pushed:
                for _ in packing:
                    pass
                if self.registry.has_blob(repository, packing.layer.descriptor.digest):
                    return packing
                packing = Packing(entries, level=level)
            self.registry.put_pieces(repository, packing, lambda: packing.layer.descriptor.digest)
            return packing


def _statements(
    command: BuildImage,
    parts: ScoringParts,
    base: FoundImage,
    image: Image,
    *,
    files: Sequence[ModelFile],
    below: Mapping[str, Any],
) -> list[Statement]:
    """What is said of the image and the model in it."""
    lineage, repository = command.lineage, f"models/{command.lineage.pipeline}"
    bom = model_bom(
        below,
        image=repository,
        digest=image.digest,
        model=lineage.pipeline,
        files=files,
        lineage=lineage,
        created=command.created_at,
    )
    origin = provenance(
        lineage,
        base=base.repository,
        base_digest=base.digest,
        code=parts.labels.get("io.edgetrain.code", ""),
        environment=parts.environment,
        model=model_digest(files),
        created=command.created_at,
    )
    return [
        about_image(repository, image.digest, SBOM, bom),
        about_image(repository, image.digest, PROVENANCE, origin),
        model_statement(lineage.pipeline, files),
    ]


def _find(registry: ImageRegistry, name: ImageName) -> FoundImage | None:
    try:
        return find_image(registry, name)
    except ValueError:
        return None  # the tag points at another image; it is moved to ours below


def _facts(command: BuildImage, parts: ScoringParts, base: FoundImage) -> dict[str, str]:
    """The image's labels: the run, code and base it was made from. :func:`build_image` finds its own images by them."""
    lineage = command.lineage
    return {
        "org.opencontainers.image.created": timestamp(command.created_at),
        "org.opencontainers.image.title": lineage.pipeline,
        "org.opencontainers.image.description": f"Scores with the model of pipeline {lineage.pipeline}",
        "org.opencontainers.image.version": lineage.run_id,
        "org.opencontainers.image.base.name": str(parts.dependency_image),
        "org.opencontainers.image.base.digest": base.digest,
        RUN_LABEL: lineage.run_id,
        "io.edgetrain.pipeline": lineage.pipeline,
        "io.edgetrain.fingerprint": lineage.fingerprint,
        "io.edgetrain.snapshot-digest": lineage.snapshot_digest,
        "io.edgetrain.metrics": json.dumps(lineage.metrics, sort_keys=True, separators=(",", ":")),
        "io.edgetrain.environment": parts.environment,
        **parts.labels,
    }


def _layer_entries(
    command: BuildImage, parts: ScoringParts, artifacts: ModelArtifacts, work: Path
) -> tuple[list[Entry], list[Path]]:
    """What the layer consists of, and the files of the model in it."""
    run_id, path = command.lineage.run_id, command.model_path
    model, code = work / "model", work / "code"
    model.mkdir()
    artifacts.fetch(run_id, command.lineage.pipeline, path, into=model)
    files = [file for file in model.rglob("*") if file.is_file()]
    if not files:
        raise PermanentError(
            f"run {run_id} left no model below {path}; the training must write its model there", code=Code.MODEL_MISSING
        )
    for name, content in parts.code.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_bytes(content)
    entries = [*folder_entries(code, at=APP_ROOT.lstrip("/")), *folder_entries(model, at=MODEL_ROOT.lstrip("/"))]
    return entries, files


def _model_files(packing: Packing) -> tuple[ModelFile, ...]:
    """The files of the model, by what was packed of them."""
    root = MODEL_ROOT.lstrip("/") + "/"
    return in_order(
        ModelFile(path.removeprefix(root), file.sha256, file.size)
        for path, file in packing.files.items()
        if path.startswith(root)
    )
