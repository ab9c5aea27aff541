"""What `edgetrain validate` says about each thing that it finds, and `edgetrain new` about names."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.csv_columns import table_of
from cli.new_pipeline import Kind, Places, make_pipeline
from cli.validation.checks import Validation
from cli.validation.findings import Level, as_lines
from shared.errors import PermanentError
from tests.support.golden import compare

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {f"EDGETRAIN_{part}__X": "" for part in ("SITES__FACTORY", "COMPUTES__HUB_VM", "TARGETS__HUB_VM")}
CODE = Path("training/churn")


def wrote(name: str, text: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / CODE / name).parent.mkdir(exist_ok=True)
        (root / CODE / name).write_text(text, encoding="utf-8")

    return change


def removed(*names: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        for name in names:
            (root / CODE / name).unlink()

    return change


def replaced(old: str, new: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        file = root / "pipelines" / "churn.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def added(name: str, text: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        path = root / CODE / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return change


CASES: dict[str, Callable[[Path], object]] = {
    "nothing wrong": lambda _: None,
    "a compute that is not in the settings": replaced("compute: hub-vm", "compute: typo-vm"),
    "a placeholder of the wrong command": replaced("${{inputs.model}}", "${{inputs.data}}"),
    "no commands": lambda root: (root / "pipelines/churn.yaml").write_text(
        "name: churn\ndata: {site: factory, container: churn, format: files, holdout: h}\n"
        "train: {folder: churn, compute: hub-vm}\njudge: {metric: m, floor: 0}\n"
        "deliver: {model: churn, targets: [{name: hub-vm}]}\n",
        encoding="utf-8",
    ),
    "no columns": replaced("format: files", "format: csv"),
    "the hold-out below the prefix": replaced("holdout: holdout/", "holdout: landing/"),
    "a done-marker with the prefix": replaced("settle:", "settle:\n  done_marker: landing/_SUCCESS"),
    "quarantine at once": replaced("train:", "train:\n  quarantine_after: 1"),
    "no folder": lambda root: shutil.rmtree(root / CODE),
    "no train.py, no lock, no sample": removed("train.py", "requirements.txt", "sample.json"),
    "code that is none": wrote("train.py", "def main(:\n"),
    "a score.py without functions": wrote("score.py", ""),
    "an import without a pin": wrote("train.py", "import pandas\n"),
    "a sample that is no JSON": wrote("sample.json", "{"),
    "a lock without what is asked for": added("requirements.in", "pandas>=2\n"),
    "a lock with another version": added("requirements.in", "numpy<1\n"),
    "a lock with two versions and no hash": added("requirements.txt", "numpy==1.0\nlone==1\n"),
    "code where the model goes": wrote("model/net.py", ""),
}


def test_findings(tmp_path: Path) -> None:
    sentences = {}
    for number, (case, change) in enumerate(CASES.items()):
        root = tmp_path / str(number)
        shutil.copytree(ROOT / "training" / "common", root / "training" / "common")
        make_pipeline(root, "churn", Kind.EMPTY, Places())
        change(root)
        report = Validation(root, SETTINGS).report("churn")
        lines = list(as_lines([report]))
        sentences[case] = "\n".join(line for line in lines if "git's HEAD" not in line)
        assert (case == "nothing wrong") <= report.valid
        assert all(finding.level is not Level.ERROR for finding in report.findings) == report.valid
    sentences["names that cannot be one"] = "\n".join(
        refusal(lambda name=name: make_pipeline(tmp_path, name, Kind.EMPTY, Places()))  # type: ignore[misc]
        for name in ("Churn", "7days", "common", "a---b")
    )
    (tmp_path / "t.csv").write_text("a,b\n1,red\n", encoding="utf-8")
    for label in ("b", "c"):
        said = refusal(lambda label=label: table_of(tmp_path / "t.csv", label))  # type: ignore[misc]
        sentences[f"--label {label}"] = said.replace(str(tmp_path), "...")

    compare("validation", "What `edgetrain validate` finds, and what `edgetrain new` refuses.", sentences)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(PermanentError) as refused:
        act()
    return refused.value.reason
