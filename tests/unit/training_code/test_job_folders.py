from pathlib import Path

import pytest

from shared.errors import Code, PermanentError
from shared.training_code.environment_key import environment_key
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts

ROOT = Path(__file__).resolve().parents[3]
NEEDED = {
    "mine/sample.json": "{}",
    "mine/score.py": "score",
    "mine/requirements.txt": "numpy==2.0\n",
    "common/scoring.py": "shared",
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
    assert {"sample.json", "score.py", "train.py", "evaluate.py", "scoring.py", "tabular.py"} <= set(
        JobFolders(ROOT).read("breast_cancer").files
    )


def test_what_has_the_same_name_in_both_is_the_folders_own(root: Path) -> None:
    write(root, "mine/scoring.py", "my own")

    assert JobFolders(root).read("mine").files["scoring.py"] == b"my own"


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


def test_a_lock_counts_by_its_lines(root: Path) -> None:
    before = JobFolders(root).read("mine")
    write(root, "mine/requirements.txt", "numpy==2.0\npandas==2.2\n")
    after = JobFolders(root).read("mine")

    assert (after.code, after.pins == before.pins) == (before.code, False)
    assert scoring_parts(after).environment != scoring_parts(before).environment


@pytest.mark.parametrize("name", [name for name in NEEDED if name != "common/scoring.py"])
def test_what_a_job_lacks_is_named(root: Path, name: str) -> None:
    (root / "training" / name).unlink()

    with pytest.raises(PermanentError, match=f"training/{name} is missing") as refused:
        JobFolders(root).read("mine")
    assert refused.value.code is Code.BAD_PIPELINE


def test_code_does_not_lie_where_the_model_goes(root: Path) -> None:
    write(root, "mine/model/layers.py", "")

    with pytest.raises(PermanentError, match=r"training/mine/ has model/layers\.py, where the model goes") as refused:
        JobFolders(root).read("mine")
    assert refused.value.code is Code.BAD_PIPELINE


def test_an_environment_is_named_by_what_its_locks_pin() -> None:
    key = environment_key("numpy==2\n", "requests==2\n")

    assert len(key) == 16
    assert int(key, 16) >= 0
    assert key == environment_key("numpy==2\r\n", "requests==2")
    assert key != environment_key("numpy==2\nrequests==2\n", "")
    assert key != environment_key("requests==2\n", "numpy==2\n")
