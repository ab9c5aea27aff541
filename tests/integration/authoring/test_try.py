"""`edgetrain new`, then `edgetrain try`, as a person runs them, with a real podman that has a storage of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.new_pipeline import Kind, Places, make_pipeline
from tests.support.podman import TestPodman, missing_podman, running_podman

ROOT = Path(__file__).resolve().parents[3]

NAIVE = """
import sys
from pathlib import Path

import numpy as np
import tabular
from sklearn.linear_model import LogisticRegression
from table import COLUMNS

data, model = (Path(sys.argv[sys.argv.index(option) + 1]) for option in ("--data", "--model"))
features, labels = tabular.read_folder(data, COLUMNS)
print("row", features[0])
tabular.model_files.save(LogisticRegression().fit(features, labels), model)
np.save(model / "examples.npy", features)
"""

pytestmark = pytest.mark.skipif(bool(missing_podman()), reason=missing_podman())


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPodman]:
    with running_podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


@dataclass
class Project:
    """A project with the new pipeline `churn`, and data for it."""

    root: Path
    podman: TestPodman

    @property
    def code(self) -> Path:
        return self.root / "training" / "churn"

    @property
    def state(self) -> Path:
        return self.root / ".local" / "try" / "churn"

    def command(self, *options: str) -> list[str]:
        data = ["--data", str(self.root / "data" / "landing"), "--holdout", str(self.root / "data/holdout/holdout.csv")]
        where = ["--app-root", str(self.root), "--cache", str(ROOT / ".local" / "cache")]
        return [sys.executable, "-m", "cli", "try", "churn", *data, *where, *options]

    def start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*options),
            cwd=ROOT,
            env=self.podman.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        said, _ = process.communicate(timeout=900)
        return process.returncode, said

    def nothing_is_left(self) -> bool:
        return self.podman.names() == [] and list((self.state / "runs").iterdir()) == []


@pytest.fixture
def project(podman: TestPodman, tmp_path: Path) -> Project:
    shutil.copytree(ROOT / "training" / "common", tmp_path / "training" / "common")
    made = make_pipeline(tmp_path, "churn", Kind.TABULAR, Places())
    program = tmp_path / "training" / made.folder / "tests" / "example_data.py"
    subprocess.run([sys.executable, program, tmp_path / "data"], check=True, stdout=subprocess.DEVNULL)
    return Project(tmp_path, podman)


def test_a_new_pipeline_is_trained_measured_and_let_out_and_compared_with_the_last_trial(project: Project) -> None:
    status, said = project.run()

    assert status == 0, said
    assert "  | training on 400 rows" in said
    for part in ("model/model.skops", "metrics.json", "model/smoke.json", "containers: 0 bytes", "is met"):
        assert part in said
    assert (project.state / "last" / "model" / "model.skops").is_file()
    assert project.nothing_is_left()

    status, said = project.run("--compare", "--parameter", "inverse_regularisation=0.01")
    assert status == 0, said
    assert "on 200 rows" in said
    assert project.nothing_is_left()


def test_a_model_with_rows_would_not_leave_and_what_the_script_prints_is_shown(project: Project) -> None:
    (project.code / "train.py").write_text(NAIVE, encoding="utf-8")

    status, said = project.run()

    assert status == 1, said
    assert "  | row [" in said
    assert "nothing but the reason" in said
    assert "FAILED  training_rows" in said
    assert project.nothing_is_left()


def test_a_script_that_fails_shows_all_that_it_says(project: Project) -> None:
    (project.code / "train.py").write_text("raise ValueError('the height of row 7 is 1.83')\n", encoding="utf-8")

    status, said = project.run()

    assert status == 1
    assert "  | ValueError: the height of row 7 is 1.83" in said
    assert "train.py:1" in said
    assert project.nothing_is_left()


def test_a_script_has_no_network(project: Project) -> None:
    (project.code / "train.py").write_text(
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)\n", encoding="utf-8"
    )

    status, said = project.run()

    assert status == 1
    assert "Network is unreachable" in said
    assert project.nothing_is_left()


def test_a_fault_in_the_data_is_named_before_anything_runs(project: Project) -> None:
    file = project.root / "data" / "landing" / "part-2.csv"
    file.write_text(file.read_text(encoding="utf-8") + "1,2,many,1\n", encoding="utf-8")

    status, said = project.run()

    assert status == 1
    assert "landing/part-2.csv, line 202, column 'weight'" in said
    assert project.nothing_is_left()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_is_ended_nothing_is_left(project: Project, how: signal.Signals) -> None:
    (project.code / "train.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(600)\n", "utf-8")
    process = project.start()
    assert process.stdout is not None
    assert any("begun" in line for line in iter(process.stdout.readline, ""))

    os.kill(process.pid, how)
    process.communicate(timeout=600)

    if how is signal.SIGKILL:  # then the next one does it
        (project.code / "train.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
        assert project.run()[0] == 1
    else:
        assert process.returncode == 130
    assert project.nothing_is_left()
