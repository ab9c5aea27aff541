from pathlib import Path

import pytest

from shared.clients.training_code import TrainingCode
from shared.errors import Code, PermanentError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "model/job.py": "job",
        "model/train.py": "train",
        "model/parts/net.py": "net",
        "model/requirements.txt": "numpy==2.0",
        "model/requirements.in": "numpy",
        "model/.hidden": "editor",
        "model/__pycache__/train.pyc": "compiled",
        "common/job_runtime.py": "runtime",
        "common/requirements-job.txt": "azureml-core==1.61",
        "other/train.py": "other",
    }.items():
        path = tmp_path / "training" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_sources_are_the_folders_own_and_the_shared_ones(root: Path) -> None:
    assert TrainingCode(root).files("model") == {
        "model/job.py": b"job",
        "model/train.py": b"train",
        "model/parts/net.py": b"net",
        "common/job_runtime.py": b"runtime",
    }


def test_locks_are_read_in_a_fixed_order_and_a_missing_shared_one_is_left_out(root: Path) -> None:
    assert TrainingCode(root).locks("model") == ("numpy==2.0", "azureml-core==1.61")


@pytest.mark.parametrize("folder", ["other", "nowhere"])
def test_a_folder_that_cannot_train_is_a_bad_pipeline(root: Path, folder: str) -> None:
    for read in (TrainingCode(root).files, TrainingCode(root).locks):
        with pytest.raises(PermanentError, match=f"training/{folder}/job.py is missing") as refused:
            read(folder)
        assert refused.value.code is Code.BAD_PIPELINE
