import ast
import sys
from pathlib import Path

import pytest

from shared.errors import Code, PermanentError
from shared.training_code.environment_key import environment_key
from shared.training_code.job_folders import JobFolders

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(path.name for path in (ROOT / "training").iterdir() if (path / "job.py").is_file())
LIBRARIES = {"numpy", "joblib", "sklearn", "skops", "azure", "azureml", "azureml_inference_server_http"}
NEEDED = {
    "mine/job.py": "job",
    "mine/score.py": "score",
    "mine/requirements.txt": "numpy==2.0\n",
    "common/job_runtime.py": "runtime",
    "common/requirements-job.txt": "azureml-core==1.61\n",
    "common/requirements-scoring.txt": "server==1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in NEEDED.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / "training" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_job_is_its_folder_and_the_common_files() -> None:
    assert {"job.py", "score.py", "train.py", "hub_reader.py", "job_runtime.py", "strict_csv.py"} <= set(
        JobFolders(ROOT).read("breast_cancer").files
    )


def test_what_has_the_same_name_in_both_is_the_folders_own(root: Path) -> None:
    write(root, "mine/job_runtime.py", "my own")

    assert JobFolders(root).read("mine").files["job_runtime.py"] == b"my own"


@pytest.mark.parametrize(
    "name",
    [
        "mine/test_train.py",
        "mine/tests/data.csv",
        "mine/.hidden/notes.txt",
        "mine/.x.swp",
        "mine/__init__.py",
        "mine/__pycache__/train.pyc",
        "mine/requirements.in",
        "common/tests/test_runtime.py",
        "other/train.py",
    ],
)
def test_what_the_job_never_gets_does_not_count_either(root: Path, name: str) -> None:
    before = JobFolders(root).read("mine")
    write(root, name, "new")
    after = JobFolders(root).read("mine")

    assert after == before
    assert after.code == before.code


@pytest.mark.parametrize(
    "name", ["mine/score.py", "mine/data/words.json", "mine/parts/__init__.py", "mine/requirements_reader.py"]
)
def test_what_the_job_gets_counts(root: Path, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = JobFolders(root).read("mine")
    write(root, name, "new")
    after = JobFolders(root).read("mine")
    into = tmp_path_factory.mktemp("staged")
    after.stage(into)

    assert after.code != before.code
    assert (into / name.removeprefix("mine/")).read_text() == "new"
    staged = {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert staged == after.files


@pytest.mark.parametrize("name", ["mine/requirements.txt", "common/requirements-job.txt"])
def test_a_lock_counts_by_its_lines(root: Path, name: str) -> None:
    before = JobFolders(root).read("mine")
    write(root, name, NEEDED[name] + "pandas==2.2\n")
    after = JobFolders(root).read("mine")

    assert (after.code, after.pins == before.pins) == (before.code, False)
    assert after.environment != before.environment


@pytest.mark.parametrize("name", [name for name in NEEDED if name != "common/job_runtime.py"])
def test_what_a_job_lacks_is_named(root: Path, name: str) -> None:
    (root / "training" / name).unlink()

    with pytest.raises(PermanentError, match=f"training/{name} is missing") as refused:
        JobFolders(root).read("mine")
    assert refused.value.code is Code.BAD_PIPELINE


def test_the_folder_of_a_sealed_training_has_one_lock_and_no_entry(root: Path) -> None:
    (root / "training" / "mine" / "job.py").unlink()
    write(root, "mine/sample.json", "{}")

    tree = JobFolders(root).read("mine")

    assert not tree.is_old
    assert set(tree.locks) == {"requirements.txt"}
    assert {"sample.json", "score.py", "job_runtime.py"} <= set(tree.files)


def test_code_does_not_lie_where_the_model_goes(root: Path) -> None:
    write(root, "mine/model/layers.py", "")

    with pytest.raises(PermanentError, match=r"training/mine/ has model/layers\.py, where the model goes") as refused:
        JobFolders(root).read("mine")
    assert refused.value.code is Code.BAD_PIPELINE


@pytest.mark.parametrize("folder", FOLDERS)
def test_training_code_stands_alone(folder: str) -> None:
    files = JobFolders(ROOT).read(folder).files
    allowed = LIBRARIES | set(sys.stdlib_module_names) | {Path(name).stem for name in files}

    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(content)):
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
