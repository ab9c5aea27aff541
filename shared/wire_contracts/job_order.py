"""The order that starts a training on the VM: what the job there is handed, as one JSON text.

References only, no data and no secret. The job reads it by a model of its own (``site_agent/job/order.py``), because it
is installed apart from the app; a test holds the two together.
"""

import json
from typing import Any, Final

from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.messages import Column, TrainingOrder, Workload

ORDER_SCHEMA: Final = 1


def order_text(order: TrainingOrder, workload: Workload, *, image: str, seconds: int) -> str:
    """The order of a training. ``image``: by digest, in which everything runs; ``seconds``: how long it may run."""
    return json.dumps(order_value(order, workload, image=image, seconds=seconds), sort_keys=True, separators=(",", ":"))


def order_value(order: TrainingOrder, workload: Workload, *, image: str, seconds: int) -> dict[str, Any]:
    """The order's JSON value."""
    resources = workload.resources
    return {
        "schema": ORDER_SCHEMA,
        "run_id": order.run_id,
        "pipeline": order.pipeline,
        "site": order.snapshot.site,
        "container": order.snapshot.container,
        "manifest_container": MANIFESTS,
        "manifest": order.snapshot.manifest,
        "image": image,
        "train": workload.train,
        "evaluate": workload.evaluate,
        "parameters": order.parameters,
        "resources": {
            "memory": resources.memory,
            "cpus": resources.cpus,
            "gpus": resources.gpus,
            "disk": resources.disk,
        },
        "seconds": seconds,
        "data": {
            "format": workload.data_format.value,
            "columns": {name: _column(column) for name, column in workload.columns.items()},
            "on_bad_file": "leave_out" if order.leave_out_faulty else "fail",
        },
        "model_format": workload.model_format.value,
        "judged_metric": order.judged_metric,
        "champion": _champion(order),
        "level": order.level,
    }


def _champion(order: TrainingOrder) -> dict[str, str] | None:
    """The champion; None when there is none, or none of whose model there is an image."""
    if not order.champion or not order.champion_image:
        return None
    return {"run_id": order.champion, "image": order.champion_image}


def _column(column: Column) -> dict[str, Any]:
    return {
        "kind": column.kind.value,
        "nullable": column.nullable,
        "values": None if column.values is None else list(column.values),
        "least": column.least,
        "most": column.most,
    }
