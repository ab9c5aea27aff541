"""The supervisor with services of a few lines each."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local_stack.processes import identities
from local_stack.processes.client import REPOSITORY
from local_stack.supervisor.probes import exists
from local_stack.supervisor.service import Service, ServiceError, State, Status
from local_stack.supervisor.supervisor import ServiceFailedError, Supervisor

MARK = "EDGETRAIN_TEST_STACK"
READY = "import pathlib, time; pathlib.Path({ready!r}).touch(); "
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
FORKS = (
    "import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True); "
    "subprocess.Popen(['setsid', '--fork', 'sleep', '301']); "
)


class Lab:
    """Makes services that touch a file when they are ready, and supervisors for them."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self.folder = folder
        self.mark = f"{folder}-{os.getpid()}"
        self.changes: list[tuple[str, State]] = []
        self._exits = exits

    def service(self, name: str, *depends_on: str, code: str = "", then: str = "time.sleep(300)") -> Service:
        ready = self.folder / f"{name}.ready"
        return Service(
            name=name,
            command=[sys.executable, "-S", "-c", code + READY.format(ready=str(ready)) + then],
            environment=lambda: {"PATH": os.environ["PATH"]},
            ready=exists(ready),
            prepare=lambda: ready.unlink(missing_ok=True),
            depends_on=frozenset(depends_on),
            url="",
            grace=0.5,
            start_within=120,
        )

    def supervisor(self, *services: Service) -> Supervisor:
        supervisor = Supervisor(services, logs_folder=self.folder, marker={MARK: self.mark}, on_change=self._heard)
        self._exits.callback(supervisor.close)
        return supervisor

    def living(self) -> int:
        return len(identities.marked(MARK, self.mark))

    def _heard(self, status: Status) -> None:
        if (status.name, status.state) not in self.changes[-1:]:
            self.changes.append((status.name, status.state))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as exits:
        yield Lab(tmp_path, exits)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def state_of(supervisor: Supervisor, name: str) -> State:
    return next(status.state for status in supervisor.statuses() if status.name == name)


def test_services_start_in_order_and_stop_in_reverse(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("top", "middle"), lab.service("middle", "base"), lab.service("base"))

    supervisor.start_all()
    supervisor.close()

    ready = [name for name, state in lab.changes if state is State.READY]
    stopped = [name for name, state in lab.changes if state is State.STOPPED]
    assert ready == ["base", "middle", "top"]
    assert stopped == ["top", "middle", "base"]
    assert lab.living() == 0


def test_everything_below_a_service_is_stopped_with_it_in_whatever_session(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("forks", code=FORKS))
    supervisor.start_all()
    wait_until(lambda: lab.living() == 4)  # the keeper, the service, its child, and the one it disowned

    supervisor.close()

    assert lab.living() == 0


def test_who_ignores_the_request_to_end_is_killed_after_the_grace(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("stubborn", code=STUBBORN))
    supervisor.start_all()

    began = time.monotonic()
    supervisor.stop("stubborn")

    assert 0.5 <= time.monotonic() - began < 60
    assert state_of(supervisor, "stubborn") is State.STOPPED


def test_a_service_that_dies_at_its_start_fails_the_start_with_the_end_of_its_log(lab: Lab) -> None:
    dies = lab.service("dies", code="import sys; print('no such disk', flush=True); sys.exit(3); ")
    supervisor = lab.supervisor(lab.service("fine"), dies, lab.service("never", "dies"))

    with pytest.raises(ServiceFailedError, match=r"dies.* 3\n(.|\n)*no such disk"):
        supervisor.start_all()

    assert state_of(supervisor, "never") is State.WAITING


def test_a_program_that_is_not_there_is_named(lab: Lab) -> None:
    ghost = Service(name="ghost", command=["/no/such/program"], environment=dict, ready=lambda: "no", url="")

    with pytest.raises(ServiceFailedError, match=r"ghost.*: /no/such/program"):
        lab.supervisor(ghost).start_all()


def test_a_service_that_is_not_ready_in_time_fails_with_the_reason(lab: Lab) -> None:
    slow = Service(
        name="slow",
        command=["sleep", "300"],
        environment=lambda: {"PATH": os.environ["PATH"]},
        ready=lambda: "it dreams",
        url="",
        start_within=0.3,
    )

    with pytest.raises(ServiceFailedError, match=r"slow .* dreams"):
        lab.supervisor(slow).start_all()


def test_a_death_is_reported_and_the_others_go_on(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("short", then="time.sleep(0.3); raise SystemExit(7)"), lab.service("long"))
    supervisor.start_all()

    wait_until(lambda: state_of(supervisor, "short") is State.DIED)

    assert next(status.detail for status in supervisor.statuses() if status.name == "short") == "exit status 7"
    assert state_of(supervisor, "long") is State.READY


def test_a_service_can_be_killed_stopped_and_started_again(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("a"), lab.service("b", "a"))
    supervisor.start_all()

    supervisor.kill("a")
    assert state_of(supervisor, "a") is State.DIED
    supervisor.start("a")
    assert state_of(supervisor, "a") is State.READY
    supervisor.stop("a")
    assert state_of(supervisor, "a") is State.STOPPED
    supervisor.start("a")

    assert state_of(supervisor, "b") is State.READY
    with pytest.raises(ServiceError, match="a is ready"):
        supervisor.start("a")
    with pytest.raises(ServiceError, match=r"'x'.* a, b"):
        supervisor.stop("x")


def test_services_outlive_the_thread_that_started_them(lab: Lab) -> None:
    # The kernel's parent-death signal belongs to a thread; it must not be one that comes and goes.
    supervisor = lab.supervisor(lab.service("a"))
    thread = threading.Thread(target=supervisor.start_all)
    thread.start()
    thread.join()

    supervisor.kill("a")
    thread = threading.Thread(target=lambda: supervisor.start("a"))
    thread.start()
    thread.join()

    with pytest.raises(AssertionError, match="did not happen"):
        wait_until(lambda: state_of(supervisor, "a") is not State.READY, seconds=0.3)


def test_a_killed_keeper_takes_its_services_along_and_is_reported(lab: Lab) -> None:
    supervisor = lab.supervisor(lab.service("a"), lab.service("b"))
    supervisor.start_all()

    os.kill(supervisor.keeper.pid, signal.SIGKILL)
    wait_until(lambda: lab.living() == 0)

    wait_until(lambda: {status.state for status in supervisor.statuses()} == {State.DIED})
    assert all("keeper" in status.detail for status in supervisor.statuses())


def test_a_killed_supervisor_leaves_nothing(lab: Lab) -> None:
    script = f"""
import sys, pathlib
from local_stack.supervisor.supervisor import Supervisor
from local_stack.supervisor.service import Service
code = {FORKS!r} + "import time; time.sleep(300)"
environment = {{"PATH": {os.environ["PATH"]!r}}}
service = Service(name="a", command=[sys.executable, "-c", code], environment=lambda: environment, ready=lambda: None,
    url="", grace=1)
supervisor = Supervisor([service], logs_folder=pathlib.Path({str(lab.folder)!r}), marker={{{MARK!r}: {lab.mark!r}}},
    on_change=lambda _: None)
supervisor.start_all()
print("up", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        wait_until(lambda: lab.living() == 4)
        process.kill()

    wait_until(lambda: lab.living() == 0)
