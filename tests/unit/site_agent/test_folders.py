import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from site_agent.job import folders


def test_what_is_below_a_folder_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x" * 10_000)
    os.link(tmp_path / "a" / "x", tmp_path / "y")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1_000_000)
    (tmp_path / "link").symlink_to("/")

    found = folders.usage(tmp_path)

    assert 1_010_000 <= found.bytes < 1_100_000
    assert found.files == 5


def test_counting_ends_at_a_bound(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).touch()

    assert folders.usage(tmp_path, most_files=10).files == 11


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert folders.usage(tmp_path / "none").files == 0


def test_a_small_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()

    assert folders.read_small(plain, most=5) == b"12345"
    assert folders.read_small(tmp_path / "none", most=5) is None
    for name, most in (("plain", 4), ("link", 5), ("fifo", 5), ("folder", 5)):
        with pytest.raises(ValueError, match="plain file"):
            folders.read_small(tmp_path / name, most=most)
    os.link(plain, tmp_path / "second")
    with pytest.raises(ValueError, match="plain file"):
        folders.read_small(plain, most=5)


def test_a_folder_is_removed_whatever_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "x").touch()
    (folder / "closed").chmod(0)
    (tmp_path / "kept").mkdir()
    (folder / "link").symlink_to(tmp_path / "kept")

    folders.remove(folder)
    folders.remove(folder)

    assert not folder.exists()
    assert (tmp_path / "kept").exists()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Folders so deep in each other that no path is long enough, with a file at the end and one half way."""
    folder = tmp_path / "deep"
    folder.mkdir()
    before = Path.cwd()
    try:
        os.chdir(folder)
        for depth in range(3000):
            Path("d").mkdir()
            os.chdir("d")
            if depth in (30, 2999):
                Path("file").write_bytes(b"x")
    finally:
        os.chdir(before)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)  # pytest cannot


def test_folders_too_deep_count_as_too_many_files(deep: Path) -> None:
    assert folders.usage(deep).files > folders.MOST_FILES


def test_folders_too_deep_for_a_path_are_taken_as_far_as_they_are_looked_at_and_removed_whole(deep: Path) -> None:
    half = deep.joinpath(*["d"] * 31, "file")
    half.chmod(0o600)

    folders.take(deep)
    assert half.stat().st_mode & 0o777 == 0o644

    folders.remove(deep)
    assert not deep.exists()


def test_names_that_folders_get_while_they_are_removed_are_not_those_of_others(tmp_path: Path) -> None:
    """Every folder has one of the same name in it, a file beside it, and a link to what must stay."""
    (tmp_path / "kept").mkdir()
    folder = tmp_path / "f"
    for place in (folder, folder / "a", folder / "a" / "a", folder / "b", folder / "b" / "a"):
        place.mkdir()
        (place / "x").write_bytes(b"x")
        (place / "link").symlink_to(tmp_path / "kept")

    folders.remove(folder)

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_link_in_the_place_of_a_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")

    folders.remove(tmp_path / "link")

    assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "link").is_symlink()
