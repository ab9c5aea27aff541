from pathlib import Path

import pytest

from site_agent.job.failures import TrainingError
from site_agent.job.losses import read_losses


def test_losses_and_slices_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('loss,slice\n0.5,a\n1e-3,"b, c"\n')

    found = read_losses(tmp_path)

    assert found is not None
    assert found.values.tolist() == [0.5, 0.001]
    assert found.slices == ("a", "b, c")


def test_losses_need_no_slices(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("loss\n1\n0\n")

    found = read_losses(tmp_path)

    assert found is not None
    assert found.slices is None


def test_no_file_is_no_losses(tmp_path: Path) -> None:
    assert read_losses(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "header"),
        (b"losses\n1\n", "header"),
        (b"loss\n1\nx\n", "line 3"),
        (b"loss\n1,2\n", "line 2"),
        (b"loss,slice\n1\n", "line 2"),
        (b"loss\n\n1\n", "line 2"),
        (b"\xff\xfe", "UTF-8"),
        (b'loss\n"1', "CSV"),
    ],
)
def test_a_wrong_line_is_named_and_not_quoted(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)

    with pytest.raises(TrainingError, match=word):
        read_losses(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").symlink_to("/etc/passwd")

    with pytest.raises(TrainingError):
        read_losses(tmp_path)
