"""What `edgetrain new` makes, and what it refuses."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.app import app
from cli.new_pipeline import Kind, Places, folder_of, make_pipeline
from cli.validation.checks import Validation
from cli.validation.findings import Level
from shared.errors import PermanentError
from shared.oci.references import ImageName
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "training" / "common", tmp_path / "training" / "common")
    return tmp_path


@pytest.mark.parametrize("kind", list(Kind))
def test_what_it_makes_is_valid_and_has_the_name_everywhere(root: Path, kind: Kind) -> None:
    made = make_pipeline(root, "line-7", kind, Places(site="plant", compute="big-vm", target="edge"))

    pipeline = Pipelines(root / "pipelines").get("line-7")
    assert (pipeline.data.site, pipeline.train.compute, pipeline.deliver.targets[0].name) == ("plant", "big-vm", "edge")
    assert (pipeline.train.folder, pipeline.deliver.model) == ("line_7", "line-7")
    assert set(made.files) >= {
        "pipelines/line-7.yaml",
        "training/line_7/train.py",
        "training/line_7/tests/test_line_7.py",
    }
    assert all((root / file).is_file() for file in made.files)
    assert all("@" not in (root / file).read_text("utf-8").replace("@pytest", "") for file in made.files)
    report = Validation(root, {}).report("line-7")
    assert [finding for finding in report.findings if finding.level is not Level.UNCHECKED] == []
    assert "sample.json" in JobFolders(root).read("line_7").files


@pytest.mark.parametrize(
    "name", ["Churn", "a b", "-a", "a-", "../x", "", "7days", "common", "tests", "a---b", "x" * 49]
)
def test_what_cannot_be_a_name_is_refused_and_leaves_nothing(root: Path, name: str) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(PermanentError):
        make_pipeline(root, name, Kind.EMPTY, Places())

    assert sorted(root.rglob("*")) == before


@given(st.from_regex(r"[a-z0-9-]{0,50}", fullmatch=True))
def test_a_name_that_is_taken_can_name_an_image_and_a_folder(name: str) -> None:
    try:
        folder = folder_of(name)
    except PermanentError:
        return
    assert ImageName(f"scoring/{folder}", "tag")
    assert folder.isidentifier()


@pytest.mark.parametrize("there", ["pipelines/churn.yaml", "pipelines/churn.yml", "training/churn/notes.txt"])
def test_nothing_is_overwritten(root: Path, there: str) -> None:
    (root / there).parent.mkdir(parents=True, exist_ok=True)
    (root / there).write_text("mine", encoding="utf-8")
    before = sorted(path for path in root.rglob("*") if path.is_file())

    run = CliRunner().invoke(app, ["new", "churn", "--kind", "empty", "--app-root", str(root)])

    assert run.exit_code == 1
    assert sorted(path for path in root.rglob("*") if path.is_file()) == before
    assert (root / there).read_text(encoding="utf-8") == "mine"


def test_it_takes_the_places_of_the_pipeline_that_is_there_and_says_what_is_next(root: Path) -> None:
    make_pipeline(root, "a", Kind.EMPTY, Places(site="plant", compute="c", target="t"))

    run = CliRunner().invoke(app, ["new", "b", "--kind", "empty", "--target", "other", "--app-root", str(root)])

    assert run.exit_code == 0
    assert "edgetrain validate b" in run.output
    pipeline = Pipelines(root / "pipelines").get("b")
    assert (pipeline.data.site, pipeline.train.compute, pipeline.deliver.targets[0].name) == ("plant", "c", "other")


TABLE = "sepal, petal,note,species\n1.5,2,x,0\n2.5,3,y,2\n"


def test_the_columns_of_a_file_become_those_of_the_pipeline_and_none_of_its_values(root: Path) -> None:
    file = root / "mine.csv"
    file.write_text(TABLE, encoding="utf-8")

    run = CliRunner().invoke(
        app,
        ["new", "iris", "--kind", "tabular", "--like", str(file), "--label", "species", "--app-root", str(root)],
    )

    assert run.exit_code == 0, run.output
    pipeline = Pipelines(root / "pipelines").get("iris")
    assert list(pipeline.data.columns) == ["sepal", "petal", "species"]
    assert pipeline.data.columns["species"].values == (0, 2)
    assert Validation(root, {}).report("iris").valid
    written = "".join(path.read_text("utf-8") for path in (root / "training" / "iris").glob("*.py"))
    assert "1.5" not in written
    assert "2.5" not in written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,0\n2,1\n",
        "a,species\n1,red\n2,blue\n",
        "a,species\n1,0\n2,0\n",
        "species\n0\n1\n",
        "a,species\n1\n",
        "a,a,species\n1,1,0\n2,2,1\n",
        "a,species\n" + "".join(f"1,{number}\n" for number in range(200)),
        "\udcff",
    ],
)
def test_a_file_that_is_no_such_table_is_refused_and_leaves_nothing(root: Path, text: str) -> None:
    file = root / "mine.csv"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    run = CliRunner().invoke(
        app,
        ["new", "iris", "--kind", "tabular", "--like", str(file), "--label", "species", "--app-root", str(root)],
    )

    assert run.exit_code == 1
    assert not (root / "training" / "iris").exists()


def test_options_that_do_not_go_together_are_a_wrong_call(root: Path) -> None:
    for options in (["--kind", "empty", "--like", "x", "--label", "y"], ["--kind", "tabular", "--label", "y"]):
        assert CliRunner().invoke(app, ["new", "iris", *options, "--app-root", str(root)]).exit_code == 2
