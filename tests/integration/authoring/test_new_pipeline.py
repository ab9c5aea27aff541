"""What `edgetrain new` makes works as it is: each kind is tidy, typed, trained, measured and asked, on made-up data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.new_pipeline import Kind, Places, make_pipeline

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_tidy_typed_and_passes_its_own_test(tmp_path: Path, kind: Kind) -> None:
    shutil.copytree(ROOT / "training" / "common", tmp_path / "training" / "common")
    shutil.copy(ROOT / "training" / "mypy.ini", tmp_path / "training")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    made = make_pipeline(tmp_path, "churn", kind, Places())
    python = [file for file in made.files if file.endswith(".py")]
    typed = [file for file in python if "/tests/" not in file]

    run(tmp_path, "ruff", "check", *python)
    run(tmp_path, "ruff", "format", "--check", *python)
    run(
        tmp_path, "mypy", "--config-file", "training/mypy.ini", "--cache-dir", str(ROOT / ".mypy_cache" / "new"), *typed
    )
    run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "training/churn")


def run(root: Path, *words: str) -> None:
    environment = os.environ | {"MYPYPATH": "training/common:training/churn"}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
