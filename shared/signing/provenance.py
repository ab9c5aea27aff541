"""Where an image comes from, as SLSA provenance v1: https://slsa.dev/spec/v1.0/provenance."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from shared.messages import Lineage
from shared.oci.images import timestamp

BUILD_TYPE: Final = "urn:edgetrain:build:model-image:v1"  # docs/delivery.md describes it
BUILDER: Final = "urn:edgetrain:app"
_MODEL: Final = "edgetrain:model"


def provenance(
    lineage: Lineage, *, base: str, base_digest: str, code: str, environment: str, model: str, created: datetime
) -> dict[str, Any]:
    """The predicate: a run's image was made from these parts.

    ``base``: the dependency image by name, ``base_digest`` as ``sha256:...``; ``code``: the digest of the packed code,
    "" when that is not kept; ``model``: the digest of the model's folder.
    """
    parts = {
        f"oci:{base}": base_digest.removeprefix("sha256:"),
        "edgetrain:snapshot": lineage.snapshot_digest,
        "edgetrain:holdout": lineage.holdout,
        "edgetrain:code": code,
        _MODEL: model,
    }
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "pipeline": lineage.pipeline,
                "fingerprint": lineage.fingerprint,
                "parameters": dict(lineage.parameters),
                "cause": lineage.cause.value,
            },
            "internalParameters": {"environment": environment, "evaluator": lineage.evaluator},
            "resolvedDependencies": [
                {"name": name, "digest": {"sha256": digest}} for name, digest in parts.items() if digest
            ],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {"invocationId": lineage.run_id, "finishedOn": timestamp(created)},
        },
    }


def model_of(predicate: Mapping[str, Any]) -> str:
    """The digest of the model's folder in a predicate of :func:`provenance`; empty when it has none."""
    with suppress(KeyError, TypeError):
        parts = {
            part["name"]: part["digest"]["sha256"] for part in predicate["buildDefinition"]["resolvedDependencies"]
        }
        return str(parts.get(_MODEL, ""))
    return ""
