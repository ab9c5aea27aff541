"""What is in each training folder: all that a run needs, and nothing that its image does not have."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TRAINING = Path(__file__).resolve().parents[3] / "training"
COMMON = TRAINING / "common"
FOLDERS = sorted(path.parent.name for path in TRAINING.glob("*/train.py"))
PROGRAMS = ("train.py", "evaluate.py", "score.py")
IN_PACKAGES_OF_OTHER_NAMES = {"azureml_inference_server_http": "azureml-inference-server-http", "PIL": "pillow"}
IN_PACKAGES_OF_OTHER_NAMES |= {"sklearn": "scikit-learn"}


def locked(folder: str) -> set[str]:
    text = (TRAINING / folder / "requirements.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def reached(folder: str) -> Iterator[tuple[str, str]]:
    """Every file that the programs come to, with each module that it imports from elsewhere."""
    left, seen = [TRAINING / folder / name for name in PROGRAMS], set[Path]()
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in imports(path):
            beside = [place / f"{module}.py" for place in (TRAINING / folder, COMMON)]
            found = next((file for file in beside if file.is_file()), None)
            if found:
                left.append(found)
            elif module not in sys.stdlib_module_names:
                yield path.name, module


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_has_programs_a_lock_and_a_sample(folder: str) -> None:
    for name in (*PROGRAMS, "requirements.in", "requirements.txt"):
        assert (TRAINING / folder / name).is_file(), f"training/{folder}/{name} is missing"
    assert json.loads((TRAINING / folder / "sample.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_the_programs_import_is_in_their_lock(folder: str) -> None:
    pinned = locked(folder)

    for file, module in reached(folder):
        package = IN_PACKAGES_OF_OTHER_NAMES.get(module, module)
        assert package in pinned, f"training/{folder}: {file} imports {module}, which is not in the image"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_lock_has_what_serving_needs_and_hashes(folder: str) -> None:
    wanted = re.findall(r"^([a-z][\w.-]*)", (COMMON / "requirements-serving.in").read_text("utf-8"), re.MULTILINE)
    text = (TRAINING / folder / "requirements.txt").read_text(encoding="utf-8")

    assert set(wanted) <= locked(folder)
    for block in re.split(r"\n(?=\S)", text):
        assert block.startswith("#") or "--hash=sha256:" in block
