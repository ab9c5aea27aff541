import csv
import io

import pytest

from local_stack.demo_data import DataStory, breast_cancer_burst, breast_cancer_story

Row = tuple[str, ...]


def rows(content: bytes) -> list[Row]:
    _, *found = csv.reader(io.StringIO(content.decode()))
    return [tuple(row) for row in found]


def all_rows(files: dict[str, bytes]) -> list[Row]:
    return [row for content in files.values() for row in rows(content)]


@pytest.fixture(scope="module")
def burst() -> DataStory:
    return breast_cancer_burst()


def test_the_burst_is_five_hundred_files_of_one_row(burst: DataStory) -> None:
    assert len(burst.first) == 500
    assert {len(rows(content)) for content in burst.first.values()} == {1}
    assert all(name.startswith("landing/") and name.endswith(".csv") for name in burst.first)


def test_no_row_that_is_held_out_is_trained_on(burst: DataStory) -> None:
    held_out = set(rows(burst.holdout))

    assert len(held_out) == 119
    assert not held_out & set(all_rows(burst.first) + all_rows(burst.second))


def test_later_drops_add_files_and_replace_none(burst: DataStory) -> None:
    names = [*burst.first, *burst.second, *burst.bad, burst.holdout_name]

    assert len(set(names)) == len(names)
    assert not set(all_rows(burst.first)) & set(all_rows(burst.second))


def test_the_bad_drop_has_labels_that_belong_to_other_rows(burst: DataStory) -> None:
    plain = breast_cancer_story()
    known = {row[:-1]: row[-1] for row in all_rows(plain.first) + all_rows(plain.second)}

    wrong = [row for row in all_rows(burst.bad) if known.get(row[:-1], row[-1]) != row[-1]]

    assert len(all_rows(burst.bad)) == 200
    assert len(wrong) > 20


def test_it_is_the_same_every_time(burst: DataStory) -> None:
    assert breast_cancer_burst() == burst
