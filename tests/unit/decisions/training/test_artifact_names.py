import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.training import artifact_names
from shared.decisions.training.artifact_names import files_below
from shared.errors import Code, PermanentError

MODEL = "outputs/model"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d/x",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/.",
        "a/",
        "",
        "a\\b",
        "..\\x",
        "a\nb",
        "a\x1b[2J",
        "a\x00",
        "a\ufffe",
        "a\u202eb",
        "\ud800",
        "p" * 201,
        "/".join(["part"] * 300),
        "é" * 101,
    ],
)
def test_a_name_that_may_mean_another_file_is_refused(path: str) -> None:
    with pytest.raises(PermanentError, match=r"the training left a file named '.*; rename it") as caught:
        files_below(MODEL, [f"{MODEL}/fine", f"{MODEL}/{path}"])

    assert caught.value.code is Code.TRAINING_OUTPUT_REFUSED
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "paths",
    [
        ["Model.bin", "model.bin"],
        ["\u00e9", unicodedata.normalize("NFD", "\u00e9")],
        ["A/x", "a/y"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["straße", "STRASSE"],
    ],
)
def test_names_that_some_disk_takes_for_one_are_refused(paths: list[str]) -> None:
    with pytest.raises(PermanentError, match="that could be one"):
        files_below(MODEL, [f"{MODEL}/{path}" for path in paths])


def test_only_what_is_below_the_folder_counts() -> None:
    names = ["outputs/model/a", "outputs/model/b/c.d", "outputs/model2/x", "outputs/model", "user_logs//x", "/x"]

    assert files_below(MODEL, names) == {"outputs/model/a": "a", "outputs/model/b/c.d": "b/c.d"}


def test_there_is_an_end_to_how_many() -> None:
    names = [f"{MODEL}/{number}" for number in range(artifact_names.MOST_FILES)]

    assert len(files_below(MODEL, names)) == artifact_names.MOST_FILES
    with pytest.raises(PermanentError, match="5001 files below outputs/model/; at most 5000"):
        files_below(MODEL, [*names, f"{MODEL}/x"])


@given(st.lists(st.text(), max_size=4))
def test_what_is_let_through_stays_below_its_folder(paths: list[str]) -> None:
    try:
        found = files_below(MODEL, [f"{MODEL}/{path}" for path in paths])
    except PermanentError:
        return
    for path in found.values():
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert path.isprintable()
        assert "\\" not in path
