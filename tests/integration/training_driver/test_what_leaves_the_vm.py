"""Training code that says what it must not, in every way there is: the whole job on the SDK, the stand-in and OpenSSH.

Nothing of it may get beyond the VM: not into the log beside the run, its tags, its details, nor our own reasons.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.messages import FailureKind, TrainingPhase, TrainingStatus
from shared.training_driver import TrainingJob
from tests.integration.training_driver.conftest import TrainingVm
from tests.integration.training_driver.site import Site

LOUD = """
import atexit, ctypes, faulthandler, logging, os, subprocess, sys, threading, warnings
import train_quiet
from train_quiet import *


def shout(value, how):
    print("stdout", how, value)
    print("stderr", how, value, file=sys.stderr, flush=True)
    sys.__stdout__.write(f"kept stream {value}\\n")
    os.write(1, f"descriptor {value}\\n".encode())
    os.write(2, f"descriptor {value}\\n".encode())
    ctypes.CDLL(None).puts(f"libc {value}".encode())
    logging.getLogger().warning("logging %s", value)
    warnings.warn(f"warning {value}", stacklevel=1)
    subprocess.run(["sh", "-c", f"echo child {value}; echo child {value} >&2"], check=True)


def die(value):
    raise ValueError(f"thread {value}")


def fit(features, labels, parameters):
    value = repr(float(features[0][0]))
    shout(value, "fit")
    thread = threading.Thread(target=die, args=(value,))
    thread.start()
    thread.join()
    atexit.register(shout, value, "atexit")
    faulthandler.enable()
    END
    return train_quiet.fit(features, labels, parameters)
"""
IMPORTS = {
    "syntax": ('"CANARY" fit(', FailureKind.CODE, "SyntaxError at train.py:1"),
    "output": ('print("CANARY"); raise OSError(28, "CANARY")', FailureKind.OUTSIDE, "the VM's disk is full"),
}


def with_train(job: TrainingJob, text: str) -> TrainingJob:
    """The same job with another ``train.py``; the pipeline's own is beside it as ``train_quiet``."""
    files = job.code.files
    other = {**files, "train.py": text.encode(), "train_quiet.py": files["train.py"]}
    return replace(job, code=replace(job.code, files=other))


def run(site: Site, job: TrainingJob) -> TrainingStatus:
    site.client.driver("submit", job)
    return site.end(job)


def all_that_left(site: Site, job: TrainingJob, end: TrainingStatus, folder: Path) -> str:
    log = site.client.begin("facts", "log", job.pipeline, job.run_id, str(folder)).result(timeout=60)
    assert "failed: " in log or log.rstrip().endswith("done")  # our own lines do leave
    return f"{log}\n{json.dumps(site.run(job))}\n{end!r}"


def first_value() -> str:
    from local_stack.demo_data import breast_cancer_story

    text = next(iter(breast_cancer_story().first.values())).decode()
    return repr(float(text.splitlines()[1].split(",")[0]))


def test_nothing_that_training_code_says_leaves_the_vm(site: Site, vm: TrainingVm, tmp_path: Path) -> None:
    job = with_train(site.job(), LOUD.replace("END", 'sys.exit(f"bad row {value}")'))

    status = run(site, job)

    assert status.phase is TrainingPhase.FAILED
    assert status.failure_kind is FailureKind.CODE
    assert "train.py:" in status.detail
    assert first_value() not in all_that_left(site, job, status, tmp_path)
    kept = vm.server.home / f"edgetrain/logs/{job.run_id}.log"
    for said in (
        "stdout fit",
        "stderr fit",
        "kept stream",
        "descriptor",
        "libc",
        "logging",
        "warning",
        "child",
        "thread",
    ):
        assert f"{said} {first_value()}" in kept.read_text()
    assert f"stdout atexit {first_value()}" in kept.read_text()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_training_that_talks_and_succeeds_says_nothing_either(site: Site, tmp_path: Path) -> None:
    job = with_train(site.job(), LOUD.replace("END", ""))

    status = run(site, job)

    assert status.phase is TrainingPhase.COMPLETED, status.detail
    assert first_value() not in all_that_left(site, job, status, tmp_path)


@pytest.mark.parametrize("how", IMPORTS)
def test_code_that_cannot_be_imported_is_named_and_its_text_is_not(site: Site, tmp_path: Path, how: str) -> None:
    text, kind, reason = IMPORTS[how]
    job = with_train(site.job(), text)

    status = run(site, job)

    assert (status.phase, status.failure_kind) == (TrainingPhase.FAILED, kind)
    assert reason in status.detail
    assert "CANARY" not in all_that_left(site, job, status, tmp_path)
