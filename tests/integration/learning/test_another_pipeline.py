"""Adding a pipeline is one file and one folder: no test of the project depends on which pipelines there are."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
COPIED = (
    "activities",
    "cli",
    "docs",
    "function_app",
    "infra",
    "local_stack",
    "orchestrations",
    "pipelines",
    "shared",
    "site_agent",
)
FILES = ("function_app.py", "host.json", "pyproject.toml")
# The tests that read the folders as they are; whoever writes another one adds it here.
READERS = (
    "tests/unit/activities/test_register_model.py",
    "tests/unit/activities/test_submit_training.py",
    "tests/unit/cli",
    "tests/unit/function_app/api/test_lists.py",
    "tests/unit/function_app/api/test_explanations.py",
    "tests/unit/function_app/api/test_starts.py",
    "tests/unit/function_app/intake/test_training_requests.py",
    "tests/unit/training/test_folders.py",
    "tests/unit/training_code/test_job_folders.py",
)
# It reads recorded histories, which are many and the same whatever the folders have.
LEFT_OUT = "--ignore=tests/unit/cli/test_deploy_check.py"


def test_pipelines_more_break_no_test(tmp_path: Path) -> None:
    """Their names sort before, between and after those that are there."""
    for folder in (*COPIED, "tests", "training"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "histories")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, tmp_path / file)
    for name in ("aardvark", "churn", "zebra"):
        add_pipeline(tmp_path, name)

    options = ["-q", "--hypothesis-profile=quick", "-p", "no:cacheprovider", LEFT_OUT]
    command = [sys.executable, "-m", "pytest", *options, *READERS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


def add_pipeline(root: Path, name: str) -> None:
    """Like breast-cancer, with everything under another name."""
    document = yaml.safe_load((root / "pipelines" / "breast-cancer.yaml").read_text(encoding="utf-8"))
    document["name"] = document["deliver"]["model"] = document["data"]["container"] = name
    document["train"]["folder"] = name
    (root / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    shutil.copytree(root / "training" / "breast_cancer", root / "training" / name)
