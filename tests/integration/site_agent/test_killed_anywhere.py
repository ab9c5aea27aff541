"""Job, guardian, container, engine, or all at once are killed at any moment: nothing is left, nothing trains twice."""

import contextlib
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
from site_agent.job.sweep import _CALL_SECONDS
from tests.support.job_vm import Vm
from tests.support.serving_host import wait_for
from tests.support.tiny_training import RUN, TRAIN

POINTS = 15
LONGEST = 9.0  # seconds that a run takes here, about
VICTIMS = ("job", "job and guardian", "container", "engine", "host")
NAME = f"edgetrain-job-{RUN}"


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
    what = VICTIMS[point % len(VICTIMS)]
    order = slow.order()
    since = time.time()
    process = slow.start(order)
    time.sleep(draw.uniform(0, LONGEST))  # the moment is what is tested

    first = {pid: started_at(pid) for pid in in_containers(slow)}
    killed = kill(slow, process, what)

    if what in {"container", "engine"}:
        ended = slow.ended(process)
        assert ended.status == (1 if killed and ended.reason else 0), ended.printed
        if ended.status:
            assert ended.kind in {"outside", "code"}
    else:
        process.communicate()
        if what == "job":
            wait_for(lambda: is_clean(slow), "what the guardian does", seconds=_CALL_SECONDS + 240)
    again = slow.run(order)
    assert [pid for pid, began in first.items() if began and started_at(pid) == began] == []
    assert again.status == 0, again.printed
    assert longest_overlap(slow, since) <= 1


def test_a_run_that_is_ended_softly_says_so_and_leaves_nothing(slow: Vm) -> None:
    slow.submit(train_py="import time; time.sleep(600)\n")
    process = slow.start(slow.order())
    wait_for(lambda: f"{NAME}-train" in slow.podman.names(), "the training")

    os.killpg(process.pid, signal.SIGTERM)

    ended = slow.ended(process)
    assert (ended.status, ended.kind) == (1, "outside")
    assert "SIGTERM" in ended.reason
    slow.assert_nothing_is_left()
    assert slow.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}


def test_a_second_job_of_the_same_run_is_refused_while_the_first_lives(slow: Vm) -> None:
    slow.submit(train_py="import time; time.sleep(20)\n" + TRAIN)
    order = slow.order()
    first = slow.start(order)
    wait_for(lambda: f"{NAME}-train" in slow.podman.names(), "the training")

    other = Vm(slow.installed, slow.podman, slow.registry, slow.hub, slow.image, slow.folder / "other", slow.container)
    other.submit()
    second = other.ended(other.start(order))

    assert (second.status, second.kind) == (1, "outside")
    assert "under way" in second.reason
    assert slow.ended(first).status == 0


def kill(vm: Vm, process: "subprocess.Popen[bytes]", what: str) -> bool:
    """Kill it hard; whether there was something to kill."""
    victims: set[int] = set()
    if what in {"container", "host"}:
        victims |= in_containers(vm)
    if what in {"engine", "host"}:
        victims |= {*calls_under_way(RUN), *monitors()}
    if what in {"job and guardian", "host"}:
        victims |= set(guardians())
    if what in {"job", "job and guardian", "host"}:
        os.killpg(process.pid, signal.SIGKILL)
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(victims)


def in_containers(vm: Vm) -> set[int]:
    """Process ids of the first process of every container, by which all others end."""
    shown = vm.podman("ps", "--quiet", "--format", "{{.Pid}}").split()
    return {int(pid) for pid in shown if pid != "0"}


def started_at(pid: int) -> str:
    """When a process was started, which tells it from a later one of the same id; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def monitors() -> list[int]:
    """Process ids of the programs by which podman watches the run's containers."""
    return [
        pid for pid, words in processes().items() if words[0].endswith(b"conmon") and NAME.encode() in b" ".join(words)
    ]


def is_clean(vm: Vm) -> bool:
    runs = vm.installed.installation.runs
    folder = not runs.exists() or list(runs.iterdir()) == []
    return folder and vm.podman.names() == [] and calls_under_way(RUN) == {} and not guardians()


def guardians() -> list[int]:
    """Process ids of the run's guardians."""
    wanted = {b"site_agent.job", b"guard", RUN.encode()}
    return [pid for pid, words in processes().items() if wanted <= set(words)]


def processes() -> dict[int, list[bytes]]:
    """Process id -> command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
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
    alive: set[str] = set()
    most = 0
    for line in listed.splitlines():
        event = json.loads(line)
        if event["Status"] == "start":
            alive.add(event["ID"])
        elif event["Status"] in {"died", "remove"}:  # there is no word of a death that podman's monitor did not see
            alive.discard(event["ID"])
        most = max(most, len(alive))
    return most
