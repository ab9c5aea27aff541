"""A training of the standard library alone, for images with nothing but Python: it learns the mean of a column."""

import json
import random
import secrets
from collections.abc import Mapping
from typing import Any

TRAIN = """
import argparse, csv, json, pathlib

parser = argparse.ArgumentParser()
for name in ("data", "model"):
    parser.add_argument(f"--{name}", type=pathlib.Path)
parser.add_argument("--shrink", type=float, default=0.0)
options = parser.parse_args()
ages, doses = [], []
for path in sorted(options.data.rglob("*.csv")):
    with path.open() as file:
        for row in csv.DictReader(file):
            ages.append(float(row["age"]))
            doses.append(float(row["dose"]))
middle, mean = sum(ages) / len(ages), sum(doses) / len(doses)
slope = sum((a - middle) * (d - mean) for a, d in zip(ages, doses)) / sum((a - middle) ** 2 for a in ages)
slope *= 1 - options.shrink
model = {"slope": slope, "intercept": mean - slope * middle}
(options.model / "model.json").write_text(json.dumps(model))
print("trained on", len(ages), "rows")
"""
EVALUATE = """
import argparse, csv, json, pathlib

parser = argparse.ArgumentParser()
for name in ("model", "holdout", "out"):
    parser.add_argument(f"--{name}", type=pathlib.Path)
options = parser.parse_args()
model = json.loads((options.model / "model.json").read_text())
with options.holdout.open() as file:
    rows = list(csv.DictReader(file))
losses = [(float(row["dose"]) - model["slope"] * float(row["age"]) - model["intercept"]) ** 2 for row in rows]
(options.out / "metrics.json").write_text(json.dumps({"squared_error": sum(losses) / len(losses)}))
(options.out / "rows.csv").write_text("loss\\n" + "".join(f"{loss!r}\\n" for loss in losses))
"""
SCORE = """
import json, os, pathlib

def init():
    global model
    model = json.loads((pathlib.Path(os.environ["AZUREML_MODEL_DIR"]) / "model.json").read_text())

def run(body):
    return [model["slope"] * age + model["intercept"] for age in json.loads(body)["ages"]]
"""
SAMPLE = '{"ages": [30, 60]}'
CODE: Mapping[str, str] = {"train.py": TRAIN, "evaluate.py": EVALUATE, "score.py": SCORE, "sample.json": SAMPLE}

RUN = f"tiny-{secrets.token_hex(6)}-1"
"""Of this process alone: what belongs to a run is looked for on the whole machine."""
ORDER: Mapping[str, Any] = {
    "schema": 1,
    "run_id": RUN,
    "pipeline": "tiny",
    "site": "factory",
    "manifest_container": "edgetrain-manifests",
    "train": "python train.py --data ${{inputs.data}} --model ${{outputs.model}} --shrink ${{parameters.shrink}}",
    "evaluate": "python evaluate.py --model ${{inputs.model}} --holdout ${{inputs.holdout}}"
    " --out ${{outputs.evaluation}}",
    "parameters": {"shrink": 0.0},
    "resources": {"memory": "256m", "cpus": 1.0, "gpus": 0, "disk": "1g"},
    "seconds": 600,
    "data": {
        "format": "csv",
        "columns": {"age": {"kind": "number", "least": 0, "most": 150}, "dose": {"kind": "number"}},
        "on_bad_file": "fail",
    },
    "model_format": "safe",
    "judged_metric": "squared_error",
    "champion": None,
}


def policy_for(registry: str, container: str, **changes: Any) -> str:
    """A policy, as JSON, that lets the pipeline ``tiny`` use a container."""
    policy = {
        "registries": [registry],
        "pipelines": {"tiny": {"site": "factory", "containers": [container], "prefixes": ["landing/", "holdout/"]}},
        "limits": {"memory": "512m", "disk": "2g", "output": "64m", "log": "1m", "model": "32m", "cache": "1g"},
    }
    return json.dumps(policy | changes)


def rows(count: int, seed: int) -> bytes:
    """A file with a header and as many rows."""
    draw = random.Random(seed)
    lines = [f"{age:.1f},{0.5 * age + draw.gauss(0, 3):.3f}" for age in (draw.uniform(20, 90) for _ in range(count))]
    return ("age,dose\n" + "\n".join(lines) + "\n").encode()
