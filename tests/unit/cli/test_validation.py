"""What `edgetrain validate` finds, each thing in a folder that is right but for it."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from cli.new_pipeline import Kind, Places, make_pipeline
from cli.validation.checks import Validation
from cli.validation.findings import FindingCode, Level, PipelineReport
from cli.validation.locks import read_lock

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": "s",
    "EDGETRAIN_COMPUTES__HUB_VM__ADDRESS": "a",
    "EDGETRAIN_TARGETS__HUB_VM__ADDRESS": "a",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one new pipeline, `churn`, and nothing else."""
    common = tmp_path / "training" / "common"
    shutil.copytree(ROOT / "training" / "common", common)
    make_pipeline(tmp_path, "churn", Kind.EMPTY, Places())
    return tmp_path


def report(root: Path, environment: Mapping[str, str] = SETTINGS, name: str = "churn") -> PipelineReport:
    return Validation(root, environment).report(name)


def found(root: Path, environment: Mapping[str, str] = SETTINGS) -> set[tuple[Level, FindingCode]]:
    return {(finding.level, finding.code) for finding in report(root, environment).findings} - {NO_GIT}


NO_GIT = (Level.UNCHECKED, FindingCode.NOT_CHECKED)


def change(root: Path, path: str, value: object) -> None:
    file = root / "pipelines" / "churn.yaml"
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    *folders, last = path.split(".")
    part = raw
    for folder in folders:
        part = part[folder]
    part[last] = value
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")


def test_a_new_pipeline_is_right(root: Path) -> None:
    assert found(root) == set()


def test_without_settings_it_is_said_that_names_are_not_checked(root: Path) -> None:
    said = [finding.what for finding in report(root, {}).findings if finding.code is FindingCode.NOT_CHECKED]

    assert any("settings" in what for what in said)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("data.site", "nowhere", "data.site"),
        ("train.compute", "typo-vm", "train.compute"),
        ("deliver.targets", [{"name": "typo-vm"}], "deliver.targets.0.name"),
        ("train.command", "python train.py --data ${{inputs.data}}", "train.command"),
        ("train.command", "python train.py ${{inputs.holdout}} ${{inputs.data}} ${{outputs.model}}", "train.command"),
        ("judge.floor", "high", "judge.floor"),
        ("data.prefix", "landing", "data.prefix"),
    ],
)
def test_a_file_that_is_wrong_is_an_error_that_names_the_field(
    root: Path, path: str, value: object, named: str
) -> None:
    change(root, path, value)

    (finding,) = report(root).findings
    assert (finding.level, finding.code) == (Level.ERROR, FindingCode.BAD_FILE)
    assert finding.what.startswith(named)


def test_names_in_local_settings_count(root: Path) -> None:
    values = {name: value for name, value in SETTINGS.items() if "TARGETS" not in name}
    (root / "local.settings.json").write_text(json.dumps({"Values": values}), encoding="utf-8")

    (finding,) = report(root, {}).findings
    assert "deliver.targets.0.name" in finding.what


def test_a_wrong_suffix_is_found(root: Path) -> None:
    (root / "pipelines" / "churn.yaml").rename(root / "pipelines" / "churn.yml")

    (finding,) = report(root, name="churn.yml").findings
    assert finding.code is FindingCode.BAD_FILE
    assert "churn.yaml" in finding.what


def test_what_two_pipelines_share_is_a_warning(root: Path) -> None:
    make_pipeline(root, "other", Kind.EMPTY, Places())
    file = root / "pipelines" / "other.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("container: other", "container: churn"), encoding="utf-8")

    assert (Level.WARNING, FindingCode.OVERLAP) in found(root)
    assert report(root).valid


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("data.holdout", "landing/holdout.txt", FindingCode.HOLDOUT_BELOW_PREFIX),
        ("settle.done_marker", "landing/_SUCCESS", FindingCode.DONE_MARKER),
        ("train.quarantine_after", 1, FindingCode.QUARANTINE),
    ],
)
def test_slips_are_found_and_are_no_errors(root: Path, path: str, value: object, code: FindingCode) -> None:
    change(root, path, value)

    assert {each for _, each in found(root)} == {code}
    assert report(root).valid


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("train.py", FindingCode.FILE_MISSING),
        ("evaluate.py", FindingCode.FILE_MISSING),
        ("score.py", FindingCode.FILE_MISSING),
        ("sample.json", FindingCode.FILE_MISSING),
        ("requirements.in", FindingCode.FILE_MISSING),
        ("requirements.txt", FindingCode.LOCK_MISSING),
    ],
)
def test_a_missing_file_is_named(root: Path, name: str, code: FindingCode) -> None:
    (root / "training" / "churn" / name).unlink()

    wrong = [finding for finding in report(root, {}).findings if finding.level is Level.ERROR]
    assert [(finding.code, finding.where) for finding in wrong] == [(code, f"training/churn/{name}")]


@pytest.mark.parametrize(
    ("name", "text", "level", "code"),
    [
        ("train.py", "def main(:\n", Level.ERROR, FindingCode.DOES_NOT_COMPILE),
        ("parts/deep.py", "return 1\n", Level.ERROR, FindingCode.DOES_NOT_COMPILE),
        ("train.py", "a\0b", Level.ERROR, FindingCode.DOES_NOT_COMPILE),
        ("score.py", "def init(): ...\n", Level.ERROR, FindingCode.ENTRY_POINT_MISSING),
        ("train.py", "import pandas\n", Level.WARNING, FindingCode.IMPORT_WITHOUT_PIN),
        ("sample.json", "{", Level.ERROR, FindingCode.BAD_SAMPLE),
        ("sample.json", json.dumps("x" * 70_000), Level.ERROR, FindingCode.BAD_SAMPLE),
        ("requirements.in", "pandas>=2\n", Level.ERROR, FindingCode.LOCK_STALE),
        ("requirements.in", "pandas >= two\n", Level.ERROR, FindingCode.LOCK_STALE),
        ("requirements.in", "azureml-inference-server-http<1\n", Level.ERROR, FindingCode.LOCK_STALE),
        ("requirements.in", 'pandas; sys_platform == "win32"  # not here\n', None, None),
    ],
)
def test_code_lock_and_sample_are_looked_at(
    root: Path, name: str, text: str, level: Level | None, code: FindingCode | None
) -> None:
    path = root / "training" / "churn" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")

    assert found(root) == ({(level, code)} if level else set())


def test_a_lock_with_two_versions_of_a_library_clashes(root: Path) -> None:
    lock = root / "training" / "churn" / "requirements.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + "Flask==0.1 --hash=sha256:00\n", encoding="utf-8")

    assert found(root) == {(Level.ERROR, FindingCode.LOCK_CLASH)}


def test_pins_without_a_hash_are_found(root: Path) -> None:
    lock = root / "training" / "churn" / "requirements.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + "lone==0.1\n", encoding="utf-8")

    assert found(root) == {(Level.ERROR, FindingCode.LOCK_WITHOUT_HASHES)}


def test_a_lock_is_read_by_names_however_they_are_written() -> None:
    lock = read_lock("Foo_Bar[extra]==1.0 ; python_version > '3' \\\n    --hash=sha256:ab\n# x==2\n--index-url y\n")

    assert (lock.pins, lock.without_hash) == ({"foo-bar": "1.0"}, ())


def test_what_would_train_anew_is_said_against_git(root: Path) -> None:
    assert any(f.level is Level.UNCHECKED and "git" in f.what for f in report(root).findings)
    commit = "git init -q . && git add . && git -c user.name=n -c user.email=e commit -q -m first"
    subprocess.run(["sh", "-c", commit], cwd=root, check=True)
    assert report(root).findings == ()

    (root / "training" / "churn" / "helper.py").write_text("A = 1\n", encoding="utf-8")
    change(root, "train.parameters.least", 2)
    make_pipeline(root, "fresh", Kind.EMPTY, Places())

    assert {(f.code, f.level) for f in report(root).findings} == {(FindingCode.CHANGED, Level.NOTE)}
    assert {f.where for f in report(root).findings} == {"training/churn", "pipelines/churn.yaml"}
    (fresh,) = report(root, name="fresh").findings
    assert fresh.what.startswith("new:")


def test_the_exit_status_and_the_document(root: Path) -> None:
    run = CliRunner(env={"EDGETRAIN_SITES": ""}).invoke
    arguments = ["--app-root", str(root)]

    right = run(app, ["validate", "churn", "--json", *arguments])
    (root / "pipelines" / "odd.yaml").write_text("[]", encoding="utf-8")
    wrong = run(app, ["validate", *arguments])
    unknown = run(app, ["validate", "nothing", *arguments])

    assert (right.exit_code, wrong.exit_code, unknown.exit_code) == (0, 1, 2)
    document = json.loads(right.output)
    assert (document["valid"], document["pipelines"][0]["name"]) == (True, "churn")
    assert "odd: 1 error" in wrong.output
