import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.job_modules import common_modules

with common_modules("results") as (results,):
    write = results.write

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=5)


@given(st.dictionaries(names, finite, max_size=3), st.lists(st.tuples(finite, names)))
def test_what_is_written_is_read_again(metrics: dict[str, float], rows: list[tuple[float, str]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, metrics, [loss for loss, _ in rows], [part for _, part in rows])
        with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
            header, *found = csv.reader(file)

        assert json.loads((folder / "metrics.json").read_text()) == metrics
        assert header == ["loss", "slice"]
        assert [(float(loss), part) for loss, part in found] == rows


def test_without_slices_there_is_one_column(tmp_path: Path) -> None:
    write(tmp_path, {}, [0.5, 1])

    assert (tmp_path / "rows.csv").read_text() == "loss\n0.5\n1.0\n"


@pytest.mark.parametrize(
    ("metrics", "losses", "slices"),
    [
        ({"a": float("nan")}, [1.0], None),
        ({}, [float("inf")], None),
        ({}, [1.0, 2.0], ["one"]),
        ({}, [1.0], ["one\r"]),
    ],
)
def test_what_cannot_be_compared_is_not_written(
    metrics: dict[str, float], losses: list[float], slices: list[str] | None, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"is not a finite number|argument|not printable"):
        write(tmp_path, metrics, losses, slices)
