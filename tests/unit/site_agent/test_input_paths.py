from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.input_paths import LONGEST_PART, LONGEST_PATH, MARK, path_of, paths_of

PARTS = [
    "",
    ".",
    "..",
    "a",
    "b",
    "~",
    "~a",
    "a.csv",
    "A.csv",
    "x" * 255,
    "x" * 256,
    "\u00e9" * 128,
    "\0",
    "\n",
    "\udc80",
    "CON",
    " ",
]
odd_names = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)
any_names = st.text(st.characters(), min_size=1, max_size=60)  # surrogates and control characters too
long_names = st.text("a/.\u00e9", min_size=900, max_size=1024)
names = odd_names | any_names | long_names


def assert_usable(path: str) -> None:
    """A relative path that stays below its folder and that any file system of Linux holds."""
    assert len(path.encode("utf-8")) <= LONGEST_PATH + 100
    for part in path.split("/"):
        assert part not in {"", ".", ".."}
        assert len(part.encode("utf-8")) <= LONGEST_PART
        assert part.isprintable() or not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in part)


@given(st.lists(names, unique=True, max_size=30))
def test_different_names_have_different_paths_that_can_stand_beside_each_other(given_names: list[str]) -> None:
    paths = paths_of(given_names)

    assert list(paths) == given_names
    assert len(set(paths.values())) == len(given_names)
    for path in paths.values():
        assert_usable(path)
        assert not any(other.startswith(f"{path}/") for other in paths.values()), "a file where a folder is needed"


@given(st.lists(names, unique=True, max_size=12))
def test_a_file_system_takes_all_of_them_at_once(
    tmp_path_factory: pytest.TempPathFactory, given_names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("data")

    for name, path in paths_of(given_names).items():
        target = root / path
        assert target.resolve().is_relative_to(root.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(name.encode("utf-8", "surrogatepass"))

    for name, path in paths_of(given_names).items():
        assert (root / path).read_bytes() == name.encode("utf-8", "surrogatepass")


@given(st.lists(names, unique=True, min_size=1, max_size=10), st.randoms())
def test_a_path_depends_on_no_order(given_names: list[str], random: Random) -> None:
    shuffled = list(given_names)
    random.shuffle(shuffled)

    assert paths_of(shuffled) == paths_of(given_names)


@pytest.mark.parametrize(
    "name",
    [
        "landing/part-1.csv",
        "landing/ spaces and \u00e9\U0001f600.csv",
        "landing/ends in a dot.",
        "landing/#?%2F&lt;+'\\.csv",
        ".hidden/-rf",
        "landing/" + "l" * LONGEST_PART,
    ],
)
def test_a_usual_name_is_its_own_path(name: str) -> None:
    assert path_of(name) == name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("landing/../../secrets.csv", "secrets.csv"),
        ("landing//part.csv", "part.csv"),
        (f"landing/{'n' * 300}.csv.gz", ".csv.gz"),
        ("landing/a\nb.csv", ".csv"),
        ("~/part.csv", "part.csv"),
        ("landing/", ""),
    ],
)
def test_only_the_odd_part_of_a_name_is_replaced_and_extensions_stay(name: str, kept: str) -> None:
    path = path_of(name)

    assert path != name
    assert MARK in path
    assert path.endswith(kept)


def test_a_file_in_the_place_of_a_folder_gets_another_name_in_its_own_folder() -> None:
    paths = paths_of(["x/a", "x/a/b", "x/a/b/c.csv", "x/ab"])

    assert (paths["x/ab"], paths["x/a/b/c.csv"]) == ("x/ab", "x/a/b/c.csv")
    for name in ("x/a", "x/a/b"):
        folder = str(Path(name).parent)
        assert paths[name].startswith(f"{folder}/{MARK}")
