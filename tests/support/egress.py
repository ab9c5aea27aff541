"""Runs for the egress guard: what a training may have left, and what became of it."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from site_agent.job.guard.box import answer
from site_agent.job.guard.inspection import ANSWER, DATA, MODEL, PACKAGE, PROGRAM, Box, BoxError, BoxTask
from site_agent.job.guard.receipt import Receipt, Traffic
from site_agent.job.guard.release import Facts, Produced, release
from site_agent.job.guard.samples import Reference
from tests.support.job_orders import POLICY, a_policy, parsed_order

PYTHON = sys.executable
KEY = ec.generate_private_key(ec.SECP256R1())
FACTS = Facts(
    started_at=datetime(2026, 11, 28, 20, 0, tzinfo=UTC),
    network=(Traffic(container="train", received=0, sent=0),),
    now=lambda: datetime(2026, 11, 28, 20, 1, tzinfo=UTC),
)


@dataclass
class EgressRun:
    """One run in a folder of its own, with 200 rows of three measurements and a label as training data."""

    folder: Path
    policy: str = ""
    """Lines that the policy has besides; those of the pipeline first, with four spaces before them."""
    order: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 200
    champion: Mapping[str, Any] | None = None
    smoke: bytes | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        for each in (self.model, self.evaluation, self.data):
            each.mkdir(parents=True)
        (self.evaluation / "metrics.json").write_text('{"log_loss": 0.25}')
        self.write_data(measurements(self.rows))

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def held_out(self) -> Path:
        return self.folder / "held_out"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    def write_data(self, table: np.ndarray[Any, Any]) -> None:
        self.table = table
        lines = [",".join(repr(float(value)) for value in row) for row in table]
        (self.data / "rows.csv").write_text("\n".join(["a,b,c,label", *lines]) + "\n")

    def release(self) -> Receipt:
        """Let the guard decide."""
        policy, order = a_policy(POLICY + self.policy), parsed_order(**self.order)
        produced = Produced(model=self.model, evaluation=self.evaluation, champion=self.champion, smoke=self.smoke)
        reference = Reference(folder=self.data)
        held_out = Reference(folder=self.held_out) if self.held_out.exists() else None
        options: dict[str, Any] = {"into": self.outputs, "facts": FACTS, "key": KEY, "held_out": held_out}
        return release(produced, policy, order, reference, self.box, **options)

    def left(self) -> set[str]:
        """Names of what would be sent."""
        return {path.relative_to(self.outputs).as_posix() for path in self.outputs.rglob("*") if path.is_file()}

    def document(self, name: str) -> Any:
        """A JSON file of the outputs."""
        return json.loads((self.outputs / name).read_text())


def box_here(task: BoxTask) -> bytes:
    """The same within this process, which has loaded the libraries already."""
    request = json.loads(task.arguments[3])
    return json.dumps(answer(request, task.mounts[MODEL], task.mounts[DATA])).encode()


def local_box(task: BoxTask) -> bytes:
    """Runs the program of the box with the libraries of the tests, in a process of its own."""
    with TemporaryDirectory(prefix="box-") as folder:
        answer = Path(folder, "answer.json")
        places = {**{place: str(path) for place, path in task.mounts.items()}, ANSWER: str(answer), "python": PYTHON}
        places[PROGRAM] = str(task.mounts[PACKAGE] / "job/guard/box.py")
        command = [places.get(argument, argument) for argument in task.arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=task.seconds, check=False)
        if done.returncode != 0:
            raise BoxError(f"it ended with status {done.returncode}: {done.stderr[-2000:]}")
        return answer.read_bytes()


def measurements(rows: int, seed: int = 1) -> np.ndarray[Any, Any]:
    """Rows of three measurements with two or three decimals, and a label."""
    random = np.random.default_rng(seed)
    columns = random.normal((17, 0.2, 650), (4, 0.05, 90), (rows, 3)).round(2)
    columns[:, 1] = random.normal(0.2, 0.05, rows).round(5)
    return np.column_stack([columns, random.integers(0, 2, rows)])


def an_array(values: Any) -> bytes:
    """A ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=False)
    return file.getvalue()


def an_archive(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()
