"""What an image consists of, as a CycloneDX 1.6 bill of materials: packages, and for a model its files and its card.

https://cyclonedx.org/docs/1.6/json/. The document is plain JSON; the tests hold it to the strict schema.
"""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from shared.messages import Lineage
from shared.oci.images import timestamp
from shared.signing.model_folders import ModelFile, model_digest

SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
MOST_FILES: Final = 500
"""Files of a model that are listed one by one; its signature lists all."""
_NAMESPACE: Final = uuid.UUID("6c4c1e0a-6b1f-5d0e-9d0c-6f9f0f6f4f6e")
_LONGEST_LICENCE: Final = 80
_SEPARATORS: Final = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """An installed package: of the Python Package Index (``pypi``) or of Debian (``deb``)."""

    kind: str
    name: str
    version: str
    licence: str = ""

    @property
    def purl(self) -> str:
        """Its package URL."""
        if self.kind == "deb":
            return f"pkg:deb/debian/{quote(self.name)}@{quote(self.version)}"
        return f"pkg:pypi/{quote(_SEPARATORS.sub('-', self.name).lower())}@{quote(self.version)}"


def packages_bom(image: str, digest: str, packages: Iterable[Package], *, created: datetime) -> dict[str, Any]:
    """The bill of materials of a dependency image: ``image`` by its name, and its packages."""
    found = sorted(set(packages))
    components = [_component(package) for package in {each.purl: each for each in found}.values()]
    return _bom(image, digest, components, created=created)


def model_bom(
    below: Mapping[str, Any],
    *,
    image: str,
    digest: str,
    model: str,
    files: Sequence[ModelFile],
    lineage: Lineage,
    created: datetime,
) -> dict[str, Any]:
    """The bill of materials of a model's image: that of the dependency image below it, and the model."""
    inherited = [each for each in below.get("components", ()) if isinstance(each, dict)]
    whole = model_digest(files)
    card: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{whole}",
        "name": model,
        "version": lineage.run_id,
        "hashes": [{"alg": "SHA-256", "content": whole}],
        "modelCard": _card(lineage),
        "components": [_file(file) for file in files[:MOST_FILES]],
    }
    return _bom(image, digest, [*inherited, card], created=created)


def _bom(image: str, digest: str, components: Sequence[Mapping[str, Any]], *, created: datetime) -> dict[str, Any]:
    reference = f"image:{digest}"
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(created),
            "component": {"type": "container", "bom-ref": reference, "name": image, "version": digest},
        },
        "components": list(components),
        "dependencies": [{"ref": reference, "dependsOn": sorted({each["bom-ref"] for each in components})}],
    }


def _component(package: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
    }
    if 0 < len(package.licence) <= _LONGEST_LICENCE:  # some packages write the whole text there
        component["licenses"] = [{"license": {"name": package.licence}}]
    return component


def _file(file: ModelFile) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{file.sha256}:{file.path}",
        "name": file.path,
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
        "properties": [{"name": "edgetrain:size", "value": str(file.size)}],
    }


def _card(lineage: Lineage) -> dict[str, Any]:
    facts = {
        "snapshot-digest": lineage.snapshot_digest,
        "files": str(lineage.blobs),
        "holdout-digest": lineage.holdout,
        "evaluator-digest": lineage.evaluator,
    }
    properties = [{"name": f"edgetrain:{name}", "value": value} for name, value in facts.items() if value]
    return {
        "modelParameters": {
            "datasets": [
                {"type": "dataset", "name": f"data of {lineage.pipeline}", "contents": {"properties": properties}}
            ]
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [
                {"type": name, "value": repr(value)} for name, value in sorted(lineage.metrics.items())
            ]
        },
    }
