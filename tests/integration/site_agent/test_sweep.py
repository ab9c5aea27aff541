"""What killed jobs leave is removed: by a guardian at once, or by the next job."""

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from site_agent.job import sweep as sweeping
from site_agent.job.engine import Engine, calls_under_way, resource_name
from site_agent.job.sweep import UnderWayError, job_lock, locked_run, sweep
from tests.support.job_installation import InstalledJob
from tests.support.podman import BASE, TestPodman, half_make
from tests.support.serving_host import wait_for

RUN = "run-1"

# A job in miniature: it starts its guardian, takes the lock, runs a container, and waits to be killed.
_JOB = """
import sys
from site_agent.job.containers import ContainerSpec, run_container
from site_agent.job.installation import installed, load_installation
from site_agent.job.run_folder import RunFolder
from site_agent.job.sweep import own_run

installation = load_installation(installed())
run_id, guarded = sys.argv[1], sys.argv[2] == "guarded"
engine = installation.engine_for(run_id)
with own_run(installation.runs, run_id, engine, guarded=guarded):
    folder = RunFolder(installation.runs / run_id)
    folder.make()
    print("started", flush=True)
    run_container(engine, ContainerSpec(
        name="edgetrain-job-run-1-train", image="localhost/base:1", mounts=[], folder="/", user=65532,
        command=["python3", "-c", "import time; time.sleep(600)"], memory=100 << 20, cpus=1, pids=20, seconds=600,
        log=folder.logs / "train.log", most_log=1 << 20,
    ))
"""

# A job that only transfers a blob, and is killed right before its n-th step that others would notice; n is told.
_SHORT_JOB = """
import os, signal, sys
from site_agent.job.cache import Cache, Item
from site_agent.job.installation import installed, load_installation
from site_agent.job.run_folder import RunFolder
from site_agent.job.sweep import own_run

installation = load_installation(installed())
run_id, last, steps = sys.argv[1], int(sys.argv[2]), 0
STEPS = {"subprocess.Popen", "fcntl.flock", "os.remove", "os.rename", "os.rmdir"}


def step(event, arguments):
    global steps
    if event in STEPS:
        steps += 1
        if steps == last:
            print(event, *map(str, arguments[:1]), flush=True)
            os.killpg(0, signal.SIGKILL)


sys.addaudithook(step)
with own_run(installation.runs, run_id, installation.engine_for(run_id)):
    RunFolder(installation.runs / run_id).make()
    with Cache(installation.cache, 0).session() as session:
        session.add(Item("a", 4), lambda file: file.write(b"data"))
"""

# A guardian whose job is dead, and that tells when it has tried once. It has no long pauses.
_IMPATIENT_GUARDIAN = """
import sys
from site_agent.job import __main__, sweep


def pauses():
    yield 0.0
    print("tried once", flush=True)
    while True:
        yield 0.05


sweep._MOMENT, sweep._GUARD_PAUSES = 0.1, pauses()
sys.exit(__main__.main(["guard", sys.argv[1]]))
"""


@pytest.fixture
def start(installed: InstalledJob) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(how: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [installed.python, "-I", "-c", _JOB, RUN, how], stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the kernel does, and as Azure ML's agent: the whole session, and hard."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def nothing_is_left(installed: InstalledJob, podman: TestPodman) -> bool:
    return podman.names() == [] and on_disk(installed) == [] and calls_under_way(RUN) == {}


def on_disk(installed: InstalledJob) -> list[str]:
    runs = installed.installation.runs
    sessions = installed.installation.cache / "sessions"
    return [path.name for folder in (runs, sessions) if folder.exists() for path in folder.iterdir()]


def test_a_guardian_ends_what_a_killed_job_left(
    installed: InstalledJob, podman: TestPodman, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    job = start("guarded")
    wait_for(lambda: podman.names() != [], "the container")

    kill(job)

    wait_for(lambda: nothing_is_left(installed, podman), "the end of all that")
    wait_for(lambda: guardians() == [], "the end of the guardian")


def test_a_guardian_waits_for_a_call_of_the_engine_that_outlives_the_job(
    installed: InstalledJob, podman: TestPodman, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    job = start("guarded")
    wait_for(lambda: calls_under_way(RUN) != {}, "a call of the engine")

    kill(job)

    wait_for(lambda: guardians() == [], "the end of the guardian")
    assert nothing_is_left(installed, podman)


def test_a_job_that_is_killed_before_any_of_its_steps_leaves_nothing(
    installed: InstalledJob, podman: TestPodman
) -> None:
    killed_before = []
    for number in itertools.count(1):
        command = [str(installed.python), "-I", "-c", _SHORT_JOB, RUN, str(number)]
        job = subprocess.run(command, stdout=subprocess.PIPE, start_new_session=True, check=False)
        wait_for(lambda: not on_disk(installed) and guardians() == [], f"the end of {job.stdout!r}")
        if job.returncode == 0:
            break
        assert job.returncode == -signal.SIGKILL
        killed_before.append(job.stdout.split()[0].decode())
    assert podman.names() == []
    assert killed_before[0] == "subprocess.Popen"  # the guardian is there before anything is on the disk
    assert {"fcntl.flock", "os.rename", "os.rmdir"} < set(killed_before)
    assert killed_before[-1] == "os.remove"  # and is told that there is nothing to do when the lock is gone


def test_a_guardian_does_not_rely_on_whoever_has_the_lock(installed: InstalledJob) -> None:
    runs = installed.installation.runs
    (runs / RUN).mkdir(parents=True)
    with locked_run(runs, RUN):  # a sweep that gives up, as when podman fails
        guardian = subprocess.Popen(
            [installed.python, "-I", "-c", _IMPATIENT_GUARDIAN, RUN], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert guardian.stdout is not None
        assert guardian.stdout.readline() == b"tried once\n"
        assert (runs / RUN).exists()

    guardian.communicate(timeout=180)
    assert guardian.returncode == 0
    assert on_disk(installed) == []


def test_the_next_job_removes_what_is_left_when_the_guardian_was_killed_too(
    installed: InstalledJob, podman: TestPodman, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    job = start("alone")
    wait_for(lambda: podman.names() != [], "the container")
    kill(job)
    runs = installed.installation.runs
    assert (runs / RUN).is_dir()

    ended = subprocess.run([installed.python, "-I", "-m", "site_agent.job", "sweep"], capture_output=True, check=True)

    assert RUN in ended.stdout.decode()
    assert nothing_is_left(installed, podman)


def test_a_run_whose_job_lives_is_left_alone(
    installed: InstalledJob, podman: TestPodman, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    job = start("alone")
    wait_for(lambda: podman.names() != [], "the container")
    installation = installed.installation

    assert sweep(installation.runs, installation.engine_for) == []
    assert podman.names() == ["edgetrain-job-run-1-train"]
    with pytest.raises(UnderWayError), locked_run(installation.runs, RUN):
        pass

    kill(job)
    assert sweep(installation.runs, installation.engine_for) == [RUN]
    assert nothing_is_left(installed, podman)


def test_a_container_without_a_folder_is_found_by_its_label(installed: InstalledJob, podman: TestPodman) -> None:
    installation = installed.installation
    engine: Engine = installation.engine_for("run-2")
    podman("run", "--detach", "--name", "lost", *engine.labels(), "--network", "none", BASE, "sleep", "600")

    assert sweep(installation.runs, installation.engine_for) == ["run-2"]
    assert nothing_is_left(installed, podman)


def test_what_podman_was_killed_over_while_it_made_it_gives_its_name_back(
    installed: InstalledJob, podman: TestPodman
) -> None:
    installation = installed.installation
    name = resource_name(RUN, "train")
    others = resource_name(f"{RUN}-2", "train")
    for each in (name, others):
        half_make(podman.folder / "storage", podman.environment, each, BASE)
    (installation.runs / RUN).mkdir(parents=True)  # it is killed before its job has anything else

    assert sweep(installation.runs, installation.engine_for) == [RUN]

    assert podman.names() == [others]
    podman("create", "--name", name, "--network", "none", BASE, "true")
    podman("rm", name, others)
    assert nothing_is_left(installed, podman)


def test_containers_of_others_are_left_alone(installed: InstalledJob, podman: TestPodman) -> None:
    installation = installed.installation
    podman("run", "--detach", "--name", "others", "--network", "none", BASE, "sleep", "600")
    try:
        assert sweep(installation.runs, installation.engine_for) == []
        assert podman.names() == ["others"]
    finally:
        podman("rm", "--force", "--time", "0", "others")


def test_a_job_waits_for_whoever_cleans_up_and_not_for_another_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_MOMENT", 0.2)
    with job_lock(tmp_path, "r"), pytest.raises(UnderWayError), job_lock(tmp_path, "r"):
        pass
    cleaning, done = threading.Event(), threading.Event()

    def clean() -> None:
        with locked_run(tmp_path, "r"):
            cleaning.set()
            done.wait(timeout=30)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    cleaning.wait(timeout=30)
    threading.Timer(0.5, done.set).start()
    with job_lock(tmp_path, "r"):
        assert done.is_set()
    cleaner.join()


def test_a_lock_is_free_when_its_holder_is_gone(tmp_path: Path) -> None:
    with locked_run(tmp_path, "r"):
        assert (tmp_path / "r.lock").exists()
    assert not (tmp_path / "r.lock").exists()
    with locked_run(tmp_path, "r"):
        pass


def guardians() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"site_agent.job" in words and b"guard" in words and RUN.encode() in words:
            found.append(entry.name)
    time.sleep(0.05)
    return found
