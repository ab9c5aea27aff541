"""A training from submit to model, through the unmodified SDK on both sides."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab
from tests.support.serving_host import wait_for

Source = Callable[[str], Path]

TRAINING = """
import os, pathlib, sys
from azureml.core import Run
run = Run.get_context(allow_offline=False)
run.log("loss", 0.25)
for value in (1, 2, 3):
    run.log("step", value)
run.set_tags({"from": "the job"})
model = pathlib.Path("outputs/model"); model.mkdir(parents=True)
(model / "weights.bin").write_bytes(bytes(range(256)) * 4096)
(model / "notes.txt").write_text(" ".join(sys.argv[1:]) + os.environ["QUOTED"])
pathlib.Path("upload.txt").write_text("uploaded")
run.upload_file("outputs/uploaded.txt", "upload.txt")
run.flush()
print("mode", oct(pathlib.Path("../environment").stat().st_mode & 0o777))
print("the end", flush=True)
"""
WITNESSED = """
import os, pathlib, sys, time
home = pathlib.Path.home()
with (home / f"{sys.argv[1]}.starts").open("a") as starts:
    starts.write(f"{os.getpid()}\\n")
print("waiting", flush=True)
while not (home / f"{sys.argv[1]}.go").exists():
    time.sleep(0.05)
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs/result.txt").write_text("done")
print("released", flush=True)
"""
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
if "polite" not in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs/partial.txt").write_text("so far")
(pathlib.Path.home() / f"{sys.argv[1]}.starts").write_text(f"{os.getpid()}\\n{child.pid}\\n")
time.sleep(600)
"""


@pytest.fixture(scope="module")
def trained(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "job.py").write_text(TRAINING, encoding="utf-8")
    (folder / "below").mkdir()
    (folder / "below/helper.txt").write_text("helper", encoding="utf-8")
    started = lab.submit(
        "trained-1", folder, "--rows", "it's 3", variables={"QUOTED": """ $HOME "and" 'so' """}, tags={"job": "a 1"}
    )
    assert started == "trained-1"
    assert lab.end(started)["status"] == "Completed"
    return str(started)


def starts(lab: Lab, run_id: str) -> list[int]:
    """Process ids that the script wrote down on the VM when it began."""
    file = lab.vm.home / f"{run_id}.starts"
    return [int(line) for line in file.read_text(encoding="utf-8").split()] if file.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_training_leaves_metrics_tags_files_and_its_log(lab: Lab, trained: str) -> None:
    found = lab.sdk(calls.facts, trained)

    assert found["metrics"] == {"loss": 0.25, "step": [1, 2, 3]}
    assert found["tags"] == {"job": "a 1", "from": "the job"}
    assert found["files"] == [
        "outputs/model/notes.txt",
        "outputs/model/weights.bin",
        "outputs/uploaded.txt",
        "user_logs/std_log.txt",
    ]
    assert found["log"].splitlines()[-2:] == ["mode 0o600", "the end"]
    assert found["started"] < found["ended"]
    assert found["error"] == ""
    assert lab.azure_ml.trainings(trained) == 1


def test_its_files_come_back_as_they_were_written(lab: Lab, trained: str) -> None:
    files = lab.sdk(calls.download, trained, "outputs/model")

    assert files == {
        "weights.bin": bytes(range(256)) * 4096,
        "notes.txt": b"""--rows it's 3 $HOME "and" 'so' """,
    }


def test_nothing_of_it_stays_on_the_vm(lab: Lab, trained: str) -> None:
    assert trained not in lab.leftovers()


def test_a_model_is_registered_and_found(lab: Lab, trained: str) -> None:
    versions = [lab.sdk(calls.register, trained, "pump", "outputs/model", {"stage": tag}) for tag in ("a", "b")]

    assert versions == [1, 2]
    latest, first = lab.sdk(calls.models, "pump", run_id=trained)
    assert latest == {"version": 2, "run_id": trained, "tags": {"stage": "b"}, "properties": {"run": trained}}
    assert first["version"] == 1
    assert lab.sdk(calls.models, "pump", run_id="another") == []


def test_tags_and_properties_are_added_to_a_run(lab: Lab, trained: str) -> None:
    lab.sdk(calls.tag, trained, {"found": "by.tag"}, {"lineage": "x-1"})

    found = lab.sdk(calls.facts, trained)
    assert found["tags"]["found"] == "by.tag"
    assert found["properties"]["lineage"] == "x-1"


def test_one_id_is_one_execution_however_often_and_fast_it_is_submitted(lab: Lab, source: Source) -> None:
    folder = source(WITNESSED)

    answers = lab.sdk(calls.submit_at_once, 3, "once-1", folder, "once-1", python=sys.executable)
    wait_for(lambda: starts(lab, "once-1") != [], "the training")
    late = lab.submit("once-1", folder, "once-1")
    (lab.vm.home / "once-1.go").touch()
    end = lab.end("once-1")
    afterwards = lab.submit("once-1", folder, "once-1")

    refusals = [*answers, late, afterwards]
    refusals.remove("once-1")
    assert len(refusals) == 4
    assert all("ExperimentExecutionException" in text and "409" in text for text in refusals)
    assert end["status"] == "Completed"
    assert len(starts(lab, "once-1")) == lab.azure_ml.trainings("once-1") == 1


def test_a_start_whose_answer_is_lost_is_not_a_second_start(lab: Lab, source: Source) -> None:
    (lab.vm.home / "lost-1.go").touch()
    lab.azure_ml.fault("/snapshotrun$", status=500, count=1, after=True)

    answer = lab.submit("lost-1", source(WITNESSED), "lost-1")  # the SDK repeats the request by itself

    assert "409" in answer
    assert lab.end("lost-1")["status"] == "Completed"
    assert len(starts(lab, "lost-1")) == 1


def test_the_log_can_be_read_while_the_training_runs_and_changed_sources_count(lab: Lab, source: Source) -> None:
    folder = source(WITNESSED)
    assert lab.submit("log-1", folder, "log-1") == "log-1"
    wait_for(lambda: "waiting" in lab.sdk(calls.facts, "log-1")["log"], "the log")
    (folder / "job.py").write_text("print('the second version')", encoding="utf-8")
    assert lab.submit("log-2", folder) == "log-2"
    assert lab.sdk(calls.status, "log-2") == "Queued"  # one at a time on a VM

    (lab.vm.home / "log-1.go").touch()

    assert lab.end("log-1")["log"] == "waiting\nreleased\n"
    assert lab.end("log-2")["log"] == "the second version\n"


def test_a_failing_script_is_reported_with_the_end_of_its_log(lab: Lab, source: Source) -> None:
    script = "import sys\nfor i in range(40): print('line', i)\nsys.exit('no rows in part-3.csv')"
    lab.submit("fails-1", source(script))

    end = lab.end("fails-1")

    assert end["status"] == "Failed"
    assert end["error"].splitlines()[0].endswith("status 1")
    assert end["error"].endswith("line 39\nno rows in part-3.csv")
    assert "line 1\n" not in end["error"]
    assert lab.leftovers() == []


def test_an_interpreter_that_is_not_there_is_reported(lab: Lab, source: Source) -> None:
    folder = source("print('never')")
    lab.sdk(calls.submit, "no-python-1", folder, python="/nowhere/bin/python")

    end = lab.end("no-python-1")

    assert end["status"] == "Failed"
    assert "/nowhere/bin/python" in end["error"]


def test_cancel_ends_every_process_and_keeps_what_was_written(lab: Lab, source: Source) -> None:
    lab.submit("cancel-1", source(STUBBORN), "cancel-1")
    wait_for(lambda: len(starts(lab, "cancel-1")) == 2, "the training")
    processes = starts(lab, "cancel-1")
    assert all(is_alive(pid) for pid in processes)

    lab.sdk(calls.cancel, "cancel-1")
    end = lab.end("cancel-1")
    lab.sdk(calls.cancel, "cancel-1")

    assert end["status"] == "Canceled"
    assert not any(is_alive(pid) for pid in processes)
    assert lab.sdk(calls.download, "cancel-1", "outputs") == {"partial.txt": b"so far"}
    assert lab.leftovers() == []


def test_a_run_that_waits_is_cancelled_without_ever_starting(lab: Lab, source: Source) -> None:
    folder = source(WITNESSED)
    lab.submit("busy-1", folder, "busy-1")
    lab.submit("waiting-1", folder, "waiting-1")
    lab.reach("waiting-1", "Queued")

    lab.sdk(calls.cancel, "waiting-1")

    assert lab.sdk(calls.status, "waiting-1") == "Canceled"
    (lab.vm.home / "busy-1.go").touch()
    assert lab.end("busy-1")["status"] == "Completed"
    assert starts(lab, "waiting-1") == []
    assert lab.azure_ml.trainings("waiting-1") == 0


def test_the_time_limit_ends_a_training(lab: Lab, source: Source) -> None:
    lab.submit("limit-1", source(STUBBORN), "limit-1", "polite", seconds=1)

    end = lab.end("limit-1")

    assert end["status"] == "Canceled"
    assert "maxRunDurationSeconds of 1" in end["error"]
    assert len(starts(lab, "limit-1")) == 2
    assert not any(is_alive(pid) for pid in starts(lab, "limit-1"))


def test_what_a_script_leaves_running_is_ended(lab: Lab, source: Source) -> None:
    script = (
        "import pathlib, subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "(pathlib.Path.home() / 'left-1.starts').write_text(str(left.pid))\n"
    )
    lab.submit("left-1", source(script))

    assert lab.end("left-1")["status"] == "Completed"
    assert not any(is_alive(pid) for pid in starts(lab, "left-1"))


@pytest.mark.parametrize("away", ["killed", "stopped"])
def test_a_training_goes_on_while_the_stand_in_is_away_and_is_found_again(
    own_lab: Lab, source: Source, away: str
) -> None:
    run_id = f"restart-{away}-1"
    own_lab.submit(run_id, source(WITNESSED), run_id)
    own_lab.submit(f"{run_id}-next", source("print('next')"))
    own_lab.reach(run_id, "Running")
    began = own_lab.sdk(calls.facts, run_id)["started"]
    wait_for(lambda: starts(own_lab, run_id) != [], "the training")

    if away == "killed":
        own_lab.azure_ml.kill()
        (own_lab.vm.home / f"{run_id}.go").touch()  # it ends while nobody looks
        wait_for(lambda: not is_alive(starts(own_lab, run_id)[0]), "the end of the training")
        own_lab.azure_ml.start()
    else:
        own_lab.azure_ml.stop()
        assert is_alive(starts(own_lab, run_id)[0])
        own_lab.azure_ml.start()
        own_lab.reach(run_id, "Running")
        (own_lab.vm.home / f"{run_id}.go").touch()

    end = own_lab.end(run_id)
    assert end["status"] == "Completed"
    assert end["started"] == began
    assert end["log"] == "waiting\nreleased\n"
    assert len(starts(own_lab, run_id)) == own_lab.azure_ml.trainings(run_id) == 1
    assert own_lab.end(f"{run_id}-next")["log"] == "next\n"


def test_a_process_that_vanished_while_nobody_watched_is_not_started_again(own_lab: Lab, source: Source) -> None:
    own_lab.submit("vanish-1", source(WITNESSED), "vanish-1")
    own_lab.reach("vanish-1", "Running")
    wait_for(lambda: starts(own_lab, "vanish-1") != [], "the training")
    (pid,) = starts(own_lab, "vanish-1")
    own_lab.azure_ml.kill()
    os.killpg(os.getpgid(pid), 9)  # as a restart of the VM would
    wait_for(lambda: not is_alive(pid), "the end of the process")

    own_lab.azure_ml.start()

    end = own_lab.end("vanish-1")
    assert end["status"] == "Failed"
    assert end["error"].splitlines()[1:] == ["waiting"]
    assert len(starts(own_lab, "vanish-1")) == 1


def test_a_vm_that_is_away_for_a_moment_costs_nothing(own_lab: Lab, source: Source) -> None:
    own_lab.submit("away-1", source(WITNESSED), "away-1")
    wait_for(lambda: starts(own_lab, "away-1") != [], "the training")

    own_lab.cut_off_vm()
    time.sleep(1)  # the length of the outage; patience is two seconds
    own_lab.vm.start()
    (own_lab.vm.home / "away-1.go").touch()

    assert own_lab.end("away-1")["status"] == "Completed"
    assert len(starts(own_lab, "away-1")) == 1


def test_what_runs_on_a_vm_that_stayed_away_is_ended_when_it_is_back(own_lab: Lab, source: Source) -> None:
    own_lab.submit("stray-1", source(WITNESSED), "stray-1")
    own_lab.submit("stray-2", source("print('never')"))
    wait_for(lambda: starts(own_lab, "stray-1") != [], "the training")
    (pid,) = starts(own_lab, "stray-1")

    own_lab.cut_off_vm()
    end, next_end = own_lab.end("stray-1"), own_lab.end("stray-2")
    assert is_alive(pid)
    own_lab.vm.start()

    assert (end["status"], next_end["status"]) == ("Failed", "Failed")
    assert end["error"].endswith("may still run there")
    assert "may still run" not in next_end["error"]
    wait_for(lambda: not is_alive(pid), "the end of the process")
    wait_for(lambda: own_lab.leftovers() == [], "an empty VM")
