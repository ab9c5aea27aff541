"""Which tests share a worker, and which of them begin first."""

from tests.support.documents import ROOT
from tests.support.sharing import LONGEST, STACKS, begins_first, group_of


def test_every_group_that_begins_first_has_tests() -> None:
    files = [*ROOT.glob("tests/e2e/test_*.py"), *ROOT.glob("tests/integration/*/test_*.py")]
    groups = {group_of(f"{file.relative_to(ROOT).as_posix()}::test") for file in files}

    assert set(LONGEST) <= groups
    assert len(LONGEST) == len(set(LONGEST))
    assert all((ROOT / "tests/e2e" / name).is_file() for name in STACKS)


def test_the_longest_begin_first_and_all_others_keep_their_order() -> None:
    named = [
        f"{group}/test_any.py::test"
        for group in LONGEST
        if group.startswith("tests/integration/") and ".py" not in group
    ]

    assert [begins_first(name) for name in named] == sorted(begins_first(name) for name in named)
    assert begins_first("tests/integration/ledger/test_runs.py::test") == len(LONGEST)
