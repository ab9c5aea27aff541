"""Where an image comes from, as SLSA provenance v1: https://slsa.dev/spec/v1.0/provenance."""

from datetime import datetime
from typing import Any, Final

from shared.messages import Lineage
from shared.oci.images import timestamp

BUILD_TYPE: Final = "urn:edgetrain:build:model-image:v1"  # docs/delivery.md describes it
BUILDER: Final = "urn:edgetrain:app"


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
        "edgetrain:model": model,
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
