import io
import tarfile
from pathlib import Path

import pytest

from shared.training_code.job_folders import JobFolders
from shared.training_code.job_trees import JobTree, digest_of
from tests.support.jobs import a_job_tree, a_sealed_tree

ROOT = Path(__file__).resolve().parents[3]


def test_what_was_packed_is_unpacked() -> None:
    tree = JobFolders(ROOT).read("breast_cancer")

    assert JobTree.unpack("breast_cancer", tree.pack()) == tree


def test_the_same_tree_has_the_same_name_whenever_and_in_whatever_order_it_was_read() -> None:
    one = a_job_tree(files={"a.py": b"1", "b/c.py": b"2"})
    other = a_job_tree(files={"b/c.py": b"2", "a.py": b"1"})

    assert one.pack() == other.pack()
    assert one.frozen.tree == digest_of(one.pack())
    assert len({one.frozen.tree, a_job_tree().frozen.tree, a_job_tree(pins="numpy==3").frozen.tree}) == 3


@pytest.mark.parametrize("tree", [a_job_tree(), a_sealed_tree()], ids=["old", "sealed"])
def test_trees_of_both_kinds_are_unpacked(tree: JobTree) -> None:
    assert JobTree.unpack("breast_cancer", tree.pack()) == tree


def test_a_sealed_tree_has_one_lock_for_training_and_serving() -> None:
    tree = a_sealed_tree(pins="numpy==2.0")

    assert not tree.is_old
    assert tree.pins == tree.scoring_locks == ("numpy==2.0",)


def _archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"<html>sign in</html>",
        a_job_tree().pack()[:700],
        _archive(),
        _archive(**{"job/job.py": b"", "job/score.py": b""}),
        _archive(**{"job/sample.json": b"", "job/score.py": b""}),
        _archive(**{"job/score.py": b"", "locks/requirements.txt": b""}),
        _archive(**{"job/../../evil.py": b""}),
        _archive(**{"job//etc/passwd": b""}),
        _archive(**{"elsewhere/job.py": b""}),
    ],
)
def test_what_is_no_packed_job_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"job"):
        JobTree.unpack("mine", packed)
