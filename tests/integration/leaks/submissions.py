"""What an attack submits: its programs, the order that the job gets, and variables that the cloud sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local_stack.leak_search import COLUMNS as NAMES
from tests.integration.leaks.attacks import Attack
from tests.integration.leaks.attacks.programs import COMMON, HONEST_EVALUATION, SAMPLE, SCORE
from tests.integration.training_driver import hub as hubs
from tests.support.job_orders import EVALUATE, TRAIN

HOLDOUT: Final = "holdout/held.csv"
_COLUMN: Final = {"nullable": False, "values": None, "least": None, "most": None}
COLUMNS: Final = {
    "patient": {"kind": "text", **_COLUMN},
    **{name: {"kind": "number", **_COLUMN} for name in NAMES[1:-1]},
    "ill": {"kind": "integer", **_COLUMN, "values": [0, 1]},
}
JOB: Final = """\
import os, sys
os.execv(sys.executable, [sys.executable, "-I", "-m", "site_agent.job", "run", *sys.argv[1:]])
"""


def order_fields(attack: Attack, run_id: str, *, container: str, manifest: str, image: str) -> dict[str, Any]:
    """What the order says that differs from others."""
    return {
        "run_id": run_id,
        "pipeline": attack.pipeline,
        "container": container,
        "manifest_container": hubs.MANIFESTS,
        "manifest": manifest,
        "image": image,
        "train": TRAIN,
        "evaluate": EVALUATE,
        "resources": {"memory": "1g", "cpus": 1.0, "gpus": 0, "disk": "100m"},
        "seconds": attack.seconds,
        "data": {"format": "csv", "columns": COLUMNS, "on_bad_file": "fail"},
        "judged_metric": "log_loss",
        "model_format": "pickle" if attack.pickles == "allowed" else "safe",
        **attack.order,
    }


def write_submission(attack: Attack, folder: Path, *, home: Path, places: Mapping[str, Any]) -> None:
    """Write the folder that is submitted. ``home``: the VM's, and ``places`` the listeners', for an attack to know."""
    code: dict[str, str] = {
        "leak.py": COMMON.replace("LISTENERS", repr(places)),
        "train.py": attack.train,
        "evaluate.py": attack.evaluate or HONEST_EVALUATION,
        "score.py": attack.score or SCORE,
        "sample.json": SAMPLE,
        **attack.code,
    }
    files = {"job.py": JOB, **{f"code/{name}": text for name, text in code.items()}, **attack.beside}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("HOME_OF_VM", str(home)), encoding="utf-8")
        path.chmod(0o755)


def variables_of(attack: Attack, folder: Path, *, home: Path) -> dict[str, str]:
    """Variables that Azure ML sets for the job, as whoever submits may choose them."""
    replaced = {"HOME_OF_VM": str(home), "SUBMITTED": str(folder)}
    variables = dict(attack.variables)
    for name, value in variables.items():
        for word, meant in replaced.items():
            variables[name] = variables[name].replace(word, meant) if value else value
    return {"AZUREML_DEFAULT_BACKOFF": "1", **variables}
