"""Which tests share a worker, which of them begin first, and who gets what when."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from xdist.workermanage import WorkerController

from tests.support.documents import ROOT
from tests.support.sharing import LONGEST, STACKS, SharedServers, begins_first, group_of

GROUPS = {"ledger": 3, "locks": 3, "signing": 2, "site_agent": 1}
TESTS = [
    f"tests/integration/{name}/test_any.py::test_{number}" for name, count in GROUPS.items() for number in range(count)
]


class Worker:
    """What pytest-xdist tells a worker."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.sent: list[str] = []
        self.shutting_down = False

    def send_runtest_some(self, indexes: list[int]) -> None:
        assert indexes, "a worker waits for its next test, and is sent none"
        self.sent += [TESTS[index] for index in indexes]

    def shutdown(self) -> None:
        self.shutting_down = True


def shared_by(count: int) -> tuple[SharedServers, list[Any]]:
    options = SimpleNamespace(loadscopereorder=False)
    config = cast("pytest.Config", SimpleNamespace(getvalue=lambda _: [f"{count}*popen"], option=options))
    shared, workers = SharedServers(config), [Worker(f"gw{number}") for number in range(count)]
    for worker in workers:
        shared.add_node(cast("WorkerController", worker))
        shared.add_node_collection(cast("WorkerController", worker), TESTS)
    shared.schedule()
    return shared, workers


def does(shared: SharedServers, worker: Any, *tests: int) -> None:
    for number in tests:
        shared.mark_test_complete(worker, number)


def test_every_group_that_begins_first_has_tests() -> None:
    files = [*ROOT.glob("tests/e2e/test_*.py"), *ROOT.glob("tests/integration/*/test_*.py")]
    groups = {group_of(f"{file.relative_to(ROOT).as_posix()}::test") for file in files}

    assert set(LONGEST) <= groups
    assert len(LONGEST) == len(set(LONGEST))
    assert all((ROOT / "tests/e2e" / name).is_file() for name in STACKS)


def test_the_longest_begin_first_and_all_others_keep_their_order() -> None:
    slow = "tests/integration/serving/test_ssh.py::test"

    assert sorted([*TESTS, slow], key=begins_first) == [slow, *TESTS]


def test_a_worker_gets_its_next_group_when_one_test_is_left() -> None:
    shared, (one, other) = shared_by(2)
    assert (one.sent, other.sent) == (TESTS[:3], TESTS[3:6])

    does(shared, one, 0)
    assert one.sent == TESTS[:3], "two are left, and may be long ones"
    does(shared, other, 3, 4)
    assert other.sent == TESTS[3:8]
    does(shared, one, 1)
    assert one.sent == [*TESTS[:3], TESTS[8]]
    does(shared, one, 2)
    assert (one.shutting_down, other.shutting_down) == (True, False)


def test_what_a_worker_that_crashed_had_not_finished_is_done_by_another() -> None:
    shared, (one, other) = shared_by(2)
    does(shared, one, 0, 1, 2)

    assert shared.remove_node(one) == TESTS[6]
    does(shared, other, 3, 4, 5)
    assert other.sent == [*TESTS[3:6], TESTS[8], *TESTS[6:8]], "nothing of what was finished, which has no test to do"


def test_more_workers_than_groups_are_sent_home() -> None:
    _, workers = shared_by(6)

    assert sorted(len(worker.sent) for worker in workers) == [0, 0, 1, 2, 3, 3]
    assert all(worker.shutting_down for worker in workers)
