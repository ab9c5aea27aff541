import ast
import sys
from pathlib import Path

import pytest

from shared.decisions.environments import environment_key
from shared.errors import PermanentError
from shared.job_folders import JobFolders

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.name for path in (ROOT / "training").iterdir() if (path / "job.py").is_file())
LIBRARIES = {"numpy", "joblib", "sklearn", "azure", "azureml", "azureml_inference_server_http"}


def test_a_job_is_its_folder_and_the_common_files() -> None:
    assert list(JobFolders(ROOT).files("breast_cancer")) == [
        "hub_reader.py",
        "job.py",
        "job_runtime.py",
        "score.py",
        "strict_csv.py",
        "train.py",
    ]


def test_tests_caches_and_package_markers_stay_at_home(tmp_path: Path) -> None:
    sources = ["data/words.json", "job.py", "train.py"]
    rest = ["test_train.py", "tests/data.csv", "__init__.py", "requirements.txt", "__pycache__/train.pyc", ".x.swp"]
    for name in sources + rest:
        path = tmp_path / "training/mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("pass\n")
    into = tmp_path / "staged"
    into.mkdir()

    JobFolders(tmp_path).stage("mine", into)

    assert sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()) == sources


def test_a_folder_without_a_job_or_a_lock_is_named(tmp_path: Path) -> None:
    jobs = JobFolders(tmp_path)

    with pytest.raises(PermanentError, match=r"training/mine/ has no job\.py"):
        jobs.files("mine")
    with pytest.raises(PermanentError, match=r"training/mine/requirements\.txt is missing"):
        jobs.environment("mine")


@pytest.mark.parametrize("folder", FOLDERS)
def test_training_code_stands_alone(folder: str) -> None:
    files = JobFolders(ROOT).files(folder)
    allowed = LIBRARIES | set(sys.stdlib_module_names) | {Path(name).stem for name in files}

    for name, path in files.items():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for module in names:
                assert module.partition(".")[0] in allowed, f"{name} imports {module}, which is not on the VM"


def test_an_environment_is_named_by_what_its_locks_pin() -> None:
    key = environment_key("numpy==2\n", "requests==2\n")

    assert len(key) == 16
    assert int(key, 16) >= 0
    assert key == environment_key("numpy==2\r\n", "requests==2")
    assert key != environment_key("numpy==2\nrequests==2\n", "")
    assert key != environment_key("requests==2\n", "numpy==2\n")
