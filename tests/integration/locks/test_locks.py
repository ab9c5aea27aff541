"""The lock of each training folder, asked of the package index; nothing is downloaded but descriptions of packages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TRAINING = ROOT / "training"
UV = str(Path(sys.executable).parent / "uv")
LOCKED = sorted(path.parent.relative_to(ROOT).as_posix() for path in TRAINING.glob("*/requirements.in"))
LOCKED += ["tests/support/autolog"]
TEMPLATES = sorted((ROOT / "cli/templates").glob("*/requirements.in.template"))
SERVING = TRAINING / "common" / "requirements-serving.in"
WISHES = [
    "pandas",
    "statsmodels",
    "lightgbm",
    "xgboost",
    "pyarrow",
    "onnxruntime",
    "scikit-learn",
    "skl2onnx",
    "skops",
    "pillow",
]
"""What data scientists ask for, which one lock must be able to hold."""

pytestmark = pytest.mark.long


def compiled(requirements: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """As ``make lock`` does it; what ``into`` pins stays as far as it can."""
    command = [UV, "pip", "compile", "-q", "--python-version", "3.11"]
    command += ["--no-emit-index-url", "--no-annotate", "--generate-hashes", "--custom-compile-command", "make lock"]
    return subprocess.run(
        [*command, str(requirements), "-o", str(into)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module", autouse=True)
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package index answers; without it, none of these tests could say anything."""
    place = tmp_path_factory.mktemp("index")
    (place / "one.in").write_text("zipp\n")
    done = compiled(place / "one.in", place / "one.txt")
    if done.returncode != 0:
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-300:]}")


def test_one_lock_holds_the_usual_libraries_and_what_serving_needs(tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.in"
    wanted.write_text("\n".join([f"-r {SERVING}", *WISHES]) + "\n")

    done = compiled(wanted, tmp_path / "lock.txt")

    assert done.returncode == 0, done.stderr
    pinned = set(re.findall(r"^([\w.-]+)==", (tmp_path / "lock.txt").read_text(), re.MULTILINE))
    assert {*WISHES, "azureml-inference-server-http", "numpy"} <= pinned


@pytest.mark.parametrize("folder", LOCKED)
def test_a_lock_is_what_is_compiled_from_its_requirements(folder: str, tmp_path: Path) -> None:
    kept = ROOT / folder / "requirements.txt"
    again = tmp_path / "requirements.txt"
    shutil.copy(kept, again)

    done = compiled(ROOT / folder / "requirements.in", again)

    assert done.returncode == 0, done.stderr
    assert again.read_text() == kept.read_text(), f"{folder}/requirements.txt is stale: run make lock"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.parent.name)
def test_a_new_pipeline_begins_with_a_lock_that_is_its_own(template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training/new"
    shutil.copytree(TRAINING / "common", tmp_path / "training/common")
    folder.mkdir()
    kept = template.with_name("requirements.txt.template")
    shutil.copy(template, folder / "requirements.in")
    shutil.copy(kept, folder / "requirements.txt")

    done = compiled(folder / "requirements.in", folder / "requirements.txt")

    assert done.returncode == 0, done.stderr
    assert (folder / "requirements.txt").read_text() == kept.read_text(), f"{kept} is stale: run make lock"


@pytest.mark.parametrize("folder", LOCKED)
def test_every_package_of_a_lock_has_a_wheel_for_the_image(folder: str, tmp_path: Path) -> None:
    """Images are made without running anything, so what must be built cannot go in."""
    command = [UV, "pip", "install", "-q", "--dry-run", "--target", str(tmp_path)]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]

    done = subprocess.run(
        [*command, "-r", str(ROOT / folder / "requirements.txt")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
