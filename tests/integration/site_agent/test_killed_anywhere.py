"""A job, its container and its guardian are killed at any moment of a run: nothing is left, nothing trains twice."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from site_agent.job.engine import calls_under_way
from tests.support.job_vm import Vm
from tests.support.serving_host import wait_for
from tests.support.tiny_training import TRAIN

POINTS = 32
LONGEST = 9.0  # seconds that a run takes here, about
NAME = "edgetrain-job-tiny-0123456789ab-1"


@pytest.fixture
def slow(vm: Vm) -> Iterator[Vm]:
    """A VM whose training takes a second, so that more moments are within it."""
    vm.submit(train_py="import time; time.sleep(1)\n" + TRAIN)
    yield vm
    vm.assert_nothing_is_left()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("point", range(POINTS))
def test_a_run_that_is_killed_leaves_nothing_and_can_be_repeated(slow: Vm, point: int) -> None:
    draw = random.Random(point)
    what = ("job", "job and guardian", "container")[point % 3]
    order = slow.order()
    since = time.time()
    process = slow.start(order)
    time.sleep(draw.uniform(0, LONGEST))  # the moment is what is tested

    killed = kill(slow, process, what)

    if what == "container":
        ended = slow.ended(process)
        assert ended.status == (1 if killed and ended.reason else 0), ended.printed
        if ended.status:
            assert ended.kind in {"outside", "code"}
    else:
        process.communicate()
        if what == "job":
            wait_for(lambda: is_clean(slow), "what the guardian does", seconds=90)
    again = slow.run(order)
    assert again.status == 0, again.printed
    assert longest_overlap(slow, since) <= 1


def test_a_run_that_is_ended_softly_says_so_and_leaves_nothing(slow: Vm) -> None:
    slow.submit(train_py="import time; time.sleep(600)\n")
    process = slow.start(slow.order())
    wait_for(lambda: f"{NAME}-train" in slow.podman.names(), "the training", seconds=60)

    os.killpg(process.pid, signal.SIGTERM)

    ended = slow.ended(process)
    assert (ended.status, ended.kind) == (1, "outside")
    assert "SIGTERM" in ended.reason
    slow.assert_nothing_is_left()
    assert slow.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}


def test_a_second_job_of_the_same_run_is_refused_while_the_first_lives(slow: Vm) -> None:
    order = slow.order()
    first = slow.start(order)
    wait_for(lambda: f"{NAME}-train" in slow.podman.names(), "the training", seconds=60)

    other = Vm(slow.installed, slow.podman, slow.registry, slow.hub, slow.image, slow.folder / "other", slow.container)
    other.submit()
    second = other.ended(other.start(order))

    assert (second.status, second.kind) == (1, "outside")
    assert "under way" in second.reason
    assert slow.ended(first).status == 0


def kill(vm: Vm, process: "subprocess.Popen[bytes]", what: str) -> bool:
    """Kill it hard; whether there was something to kill."""
    if what == "container":
        names = vm.podman.names()
        for name in names:
            subprocess.run(
                ["podman", "kill", "--signal", "KILL", name],
                env=vm.podman.environment,
                check=False,
                capture_output=True,
            )
        return bool(names)
    victims = guardians() if what == "job and guardian" else []
    os.killpg(process.pid, signal.SIGKILL)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    return True


def is_clean(vm: Vm) -> bool:
    runs = vm.installed.installation.runs
    folder = not runs.exists() or list(runs.iterdir()) == []
    return folder and vm.podman.names() == [] and calls_under_way("tiny-0123456789ab-1") == {} and not guardians()


def guardians() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"site_agent.job" in words and b"guard" in words and b"tiny-0123456789ab-1" in words:
            found.append(int(entry.name))
    return found


def longest_overlap(vm: Vm, since: float) -> int:
    """How many trainings of the run were alive at once, at most, by the engine's own events."""
    listed = vm.podman(
        "events",
        "--stream=false",
        "--since",
        str(int(since)),
        "--filter",
        f"container={NAME}-train",
        "--format",
        "json",
    )
    alive = most = 0
    for line in listed.splitlines():
        status = json.loads(line)["Status"]
        alive += {"start": 1, "died": -1}.get(status, 0)
        most = max(most, alive)
    return most
