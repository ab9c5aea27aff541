"""Orders to the job on the VM, and policies that allow them."""

import json
from typing import Any

from site_agent.job.order import Order, parse_order
from site_agent.job.policy import Policy, parse_policy

IMAGE = f"registry.example/scoring/breast_cancer@sha256:{'a' * 64}"
TRAIN = "python train.py --data ${{inputs.data}} --model ${{outputs.model}}"
EVALUATE = "python evaluate.py --model ${{inputs.model}} --holdout ${{inputs.holdout}} --out ${{outputs.evaluation}}"

POLICY = """\
registries: [registry.example]
pipelines:
  breast-cancer:
    site: factory
    containers: [breast-cancer]
    prefixes: [landing/, holdout/]
"""


def an_order(**changes: Any) -> dict[str, Any]:
    """The fields of an order that :data:`POLICY` allows."""
    return {
        "schema": 1,
        "run_id": "breast-cancer-0123456789ab-1",
        "pipeline": "breast-cancer",
        "site": "factory",
        "container": "breast-cancer",
        "manifest_container": "edgetrain-manifests",
        "manifest": f"breast-cancer/{'d' * 64}.json",
        "image": IMAGE,
        "train": TRAIN,
        "evaluate": EVALUATE,
        "parameters": {},
        "resources": {"memory": "4g", "cpus": 2.0, "gpus": 0, "disk": "20g"},
        "seconds": 7200,
        "data": {
            "format": "csv",
            "columns": {"age": {"kind": "integer", "nullable": False, "values": None, "least": 0, "most": 150}},
            "on_bad_file": "fail",
        },
        "model_format": "safe",
        "judged_metric": "log_loss",
        "champion": None,
    } | changes


def order_text(**changes: Any) -> str:
    """The same as the argument that the job gets."""
    return json.dumps(an_order(**changes))


def parsed_order(**changes: Any) -> Order:
    """The same as the job uses it."""
    return parse_order(order_text(**changes))


def a_policy(text: str = POLICY) -> Policy:
    """The policy of a YAML text."""
    return parse_policy(text.encode(), file="policy.yaml")
