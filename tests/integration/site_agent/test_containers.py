"""Sealed containers on real podman: what a program in one can do, and how it ends."""

import json
import os
import secrets
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from site_agent.job import folders
from site_agent.job.containers import ContainerResult, ContainerSpec, Mount, Stopped, run_container
from site_agent.job.engine import Engine, EngineError, calls_under_way
from site_agent.job.failures import TrainingError
from tests.support.podman import BASE, TestPodman
from tests.support.serving_host import wait_for

MIB = 1024**2
USER = 20_000 + secrets.randbelow(30_000)
"""Of the containers of these tests and of no others on this machine."""
RUN = "run-1"


@dataclass
class Box:
    """One run's containers and their folders."""

    engine: Engine
    podman: TestPodman
    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def spec(self, program: str, **changes: Any) -> ContainerSpec:
        folders.give(self.model, USER)
        spec = ContainerSpec(
            name="edgetrain-job-run-1-train",
            image=BASE,
            command=["python3", "-c", program],
            mounts=[Mount(self.model, "/edgetrain/model", most=8 * MIB)],
            folder="/",
            user=USER,
            memory=128 * MIB,
            cpus=1.0,
            pids=64,
            seconds=60,
            log=self.folder / "log",
            most_log=MIB,
        )
        return replace(spec, **changes)

    def run(self, program: str, **changes: Any) -> ContainerResult:
        result = run_container(self.engine, self.spec(program, **changes))
        assert self.podman.names() == []
        return result


@pytest.fixture
def box(podman: TestPodman, tmp_path: Path) -> Box:
    engine = Engine("podman", podman.environment, state="tests", run_id=RUN)
    return Box(engine, podman, tmp_path)


def test_a_program_reads_and_writes_what_it_was_given(box: Box) -> None:
    data = box.folder / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")

    mounts = [Mount(data, "/edgetrain/data"), *box.spec("").mounts]
    program = "open('/edgetrain/model/m', 'w').write(open('/edgetrain/data/rows.csv').read()); print('trained')"
    result = box.run(program, mounts=mounts)

    assert (result.exit_code, result.stopped, result.oom_killed) == (0, None, False)
    assert result.succeeded
    folders.take(box.model)
    assert (box.model / "m").read_text() == "1,2\n"
    assert result.output_bytes >= 4
    assert "trained" in box.log


def test_a_container_is_sealed(box: Box) -> None:
    data = box.folder / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    program = """
import os, socket
facts = {"uid": os.getuid(), "home": os.environ["HOME"], "environment": sorted(os.environ)}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
facts |= {name: status[name].strip() for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
facts["interfaces"] = [name for _, name in socket.if_nameindex()]
def refused(what, *arguments):
    try:
        what(*arguments)
    except OSError as error:
        return error.errno
facts["tcp"] = refused(socket.create_connection, ("192.0.2.1", 80), 2)
facts["root"] = refused(open, "/x", "w")
facts["data"] = refused(open, "/edgetrain/data/rows.csv", "w")
facts["raw"] = refused(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
import json
json.dump(facts, open("/edgetrain/model/facts", "w"))
open("/tmp/x", "w").write("x")
"""
    result = box.run(program, mounts=[Mount(data, "/edgetrain/data"), *box.spec("").mounts])

    assert result.succeeded, box.log
    folders.take(box.model)
    facts = json.loads((box.model / "facts").read_text())
    assert facts["uid"] == USER
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    assert facts["interfaces"] == ["lo"]
    assert None not in (facts["tcp"], facts["root"], facts["data"], facts["raw"])
    assert not any(name.startswith(("EDGETRAIN", "AZUREML", "CONTAINERS")) for name in facts["environment"])


def test_no_byte_of_network_is_measured_in_its_own_namespace(box: Box) -> None:
    program = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"x" * 1000)).start()
socket.create_connection(server.getsockname()).recv(2000)
"""
    result = box.run(program)

    assert result.succeeded, box.log
    assert result.network.measured
    assert (result.network.received, result.network.sent) == (0, 0)


def test_a_program_that_fails_has_its_own_status(box: Box) -> None:
    result = box.run("import sys; print('no'); sys.exit(7)")

    assert (result.exit_code, result.stopped) == (7, None)


def test_a_program_that_takes_too_long_is_killed(box: Box) -> None:
    result = box.run("import time; time.sleep(600)", seconds=0.5)

    assert result.timed_out
    assert not result.succeeded


def test_a_program_that_ignores_signals_and_leaves_children_is_killed(box: Box) -> None:
    program = """
import os, signal, time
for number in range(1, 60):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
open("/edgetrain/model/ready", "w").close()
time.sleep(600)
"""
    result = box.run(program, seconds=2)

    assert result.timed_out
    assert _processes_of(USER) == []


def test_where_no_bytes_can_be_counted_none_are_said_to_be_zero(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site_agent.job.vitals._Counters._HOLD", "exit 1")

    with pytest.raises(EngineError):
        box.run("pass")

    assert box.engine.containers() == {}


def test_memory_that_runs_out_is_recognised(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    started.mkdir()
    monkeypatch.chdir(started)
    result = box.run("x = bytearray(500_000_000)")

    assert result.oom_killed
    assert result.exit_code == 137
    assert list(started.iterdir()) == [], "what watches the container leaves nothing where the job was started"


def test_memory_that_runs_out_in_a_child_is_recognised_too(box: Box) -> None:
    program = """
import os, sys
if os.fork() == 0:
    x = bytearray(500_000_000)
    os._exit(0)
sys.exit(5 if os.wait()[1] else 0)
"""
    result = box.run(program)

    assert result.oom_killed
    assert result.exit_code == 5


def test_a_program_that_prints_without_end_is_killed(box: Box) -> None:
    result = box.run("while True: print('x' * 1000)")

    assert result.stopped is Stopped.LOG
    assert result.log_bytes < 200 * MIB


def test_output_that_grows_too_large_is_killed(box: Box) -> None:
    program = """
for number in range(10_000):
    open(f"/edgetrain/model/{number}", "wb").write(b"x" * 1_000_000)
"""
    result = box.run(program)

    assert result.stopped is Stopped.OUTPUT
    assert result.output_bytes > 8 * MIB


def test_a_file_with_a_hole_counts_as_long_as_it_is(box: Box) -> None:
    program = """
with open("/edgetrain/model/hole", "wb") as file:
    file.truncate(7_000_000)
with open("/edgetrain/model/other", "wb") as file:
    file.truncate(7_000_000)
"""
    assert box.run(program).stopped is Stopped.OUTPUT


def test_no_file_is_larger_than_all_output_may_be(box: Box) -> None:
    result = box.run("open('/edgetrain/model/hole', 'wb').truncate(1 << 40)")

    assert result.exit_code == 1
    assert "File too large" in box.log


def test_what_a_container_leaves_can_be_taken_back(box: Box) -> None:
    program = """
import os
os.chdir("/edgetrain/model")
os.mkdir("closed"); open("closed/in", "w").close(); os.chmod("closed/in", 0)
os.chmod("closed", 0)
os.symlink("/etc/shadow", "link"); os.mkfifo("fifo"); open(b"\\xff\\n", "w").close()
"""
    assert box.run(program).succeeded, box.log

    folders.take(box.model)

    shadow = Path("/etc/shadow").stat()
    assert (shadow.st_uid, shadow.st_mode & 0o007) == (0, 0)
    for path in box.model.rglob("*"):
        assert path.lstat().st_uid == os.geteuid()
    assert (box.model / "closed" / "in").read_text() == ""
    folders.remove(box.model)
    assert not box.model.exists()


def test_a_program_that_the_image_lacks_is_a_mistake_of_the_command(box: Box) -> None:
    with pytest.raises(TrainingError, match="Rscript"):
        run_container(box.engine, box.spec("", command=["Rscript", "train.R"]))

    assert box.podman.names() == []


def test_an_image_that_is_not_there_is_never_pulled(box: Box) -> None:
    with pytest.raises(EngineError):
        run_container(box.engine, box.spec("", image=f"registry.invalid/x@sha256:{'a' * 64}"))

    assert box.podman.names() == []


def test_a_run_has_one_container_of_a_name(box: Box) -> None:
    program = "import os, time\nwhile not os.path.exists('/edgetrain/model/go'): time.sleep(0.05)"
    first = threading.Thread(target=lambda: box.run(program, seconds=600))
    first.start()
    try:
        wait_for(lambda: box.podman.names() != [], "the container")

        other = replace(box.engine, run_id="run-1")
        assert "edgetrain-job-run-1-train" in other.containers(RUN)
        assert other.containers("run-2") == {}
        assert replace(other, state="another installation").containers() == {}
    finally:
        (box.model / "go").touch()
        first.join()


def test_whatever_is_raised_while_it_runs_leaves_no_container(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("site_agent.job.watchers.FolderWatcher.exceeded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_container(box.engine, box.spec("import time; time.sleep(600)"))

    assert box.podman.names() == []
    assert calls_under_way(RUN) == {}


def _processes_of(user: int) -> list[str]:
    return [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and entry.exists() and entry.stat().st_uid == user
    ]
