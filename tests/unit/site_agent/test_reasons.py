"""What is said about a container that failed; the logs are as podman writes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from site_agent.job.containers import ContainerResult, ContainerSpec, Mount, Stopped
from site_agent.job.failures import CODE, OUTSIDE
from site_agent.job.policy import Leaves
from site_agent.job.reasons import Raised, failure_of, last_exception
from tests.support.job_orders import a_policy

CANARY = "4242.4242"
MIB = 1024**2
TRAIN = "import numpy\nimport missing_library.part\n\ndef fit():\n    raise ValueError('no')\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "deep" / "x.py").write_text("x = 1\n")
    return folder


def a_log(folder: Path, *lines: str) -> Path:
    log = folder / "train.log"
    log.write_text("".join(f"2026-11-28T20:00:00.000000000+00:00 stderr F {line}\n" for line in lines))
    return log


def traceback(last: str, *frames: tuple[str, int, str]) -> list[str]:
    lines = ["Traceback (most recent call last):"]
    for file, number, name in frames:
        lines += [f'  File "{file}", line {number}, in {name}', "    some(source)"]
    return [*lines, last]


def a_spec(log: Path) -> ContainerSpec:
    return ContainerSpec(
        name="x",
        image="y",
        command=["python3"],
        mounts=[Mount(log.parent, "/edgetrain/model", most=2 * MIB)],
        folder="/",
        user=1,
        memory=512 * MIB,
        cpus=1,
        pids=10,
        seconds=10,
        log=log,
        most_log=50 * MIB,
    )


def reason(code: Path, *lines: str, script: bool = False, **result: object) -> str:
    log = a_log(code.parent, *lines)
    ended = ContainerResult(**({"exit_code": 1} | result))  # type: ignore[arg-type]
    policy = replace(a_policy(), leaves=Leaves(reasons="script")) if script else a_policy()
    error = failure_of("train.command", ended, a_spec(log), policy=policy, code=code, where="~/kept/train.log")
    assert CANARY not in str(error)
    return f"{error.kind}: {error}"


def test_an_exception_is_told_by_class_and_place_and_never_by_its_text(code: Path) -> None:
    lines = traceback(
        f"ValueError: {CANARY}", ("/edgetrain/code/train.py", 5, "fit"), ("/opt/site/numpy/core.py", 9, CANARY)
    )

    told = reason(code, *lines)

    assert "ValueError" in told
    assert "train.py:5" in told
    assert "status 1" in told
    assert "~/kept/train.log" in told
    assert "numpy" not in told


@pytest.mark.parametrize(
    ("last", "frame", "raised"),
    [
        ("ValueError: x", ("/edgetrain/code/train.py", 5, "fit"), Raised("ValueError", "train.py:5")),
        ("ValueError", ("/edgetrain/code/deep/x.py", 1, "x"), Raised("ValueError", "deep/x.py:1")),
        (f"Secret{CANARY}: x", ("/edgetrain/code/train.py", 5, "fit"), Raised("", "train.py:5")),
        ("sklearn.exceptions.NotFittedError: x", ("/edgetrain/code/train.py", 5, "f"), Raised("", "train.py:5")),
        ("ValueError: x", (f"/edgetrain/code/{CANARY}.py", 5, "fit"), Raised("ValueError", "")),
        ("ValueError: x", ("/edgetrain/code/train.py", 4242, "fit"), Raised("ValueError", "")),
        ("ValueError: x", ("/edgetrain/code/../code/train.py", 5, "fit"), Raised("ValueError", "")),
        (
            "ModuleNotFoundError: No module named 'missing_library.part'",
            ("/edgetrain/code/train.py", 2, "<module>"),
            Raised("ModuleNotFoundError", "train.py:2", "missing_library.part"),
        ),
        (
            "ModuleNotFoundError: No module named 'secret4242'",
            ("/edgetrain/code/train.py", 2, "<module>"),
            Raised("ModuleNotFoundError", "train.py:2", ""),
        ),
    ],
)
def test_only_what_stood_before_the_run_is_told(
    code: Path, last: str, frame: tuple[str, int, str], raised: Raised
) -> None:
    assert last_exception(traceback(last, frame), code) == raised


def test_of_several_tracebacks_the_last_one_counts(code: Path) -> None:
    first = traceback("KeyError: 'a'", ("/edgetrain/code/deep/x.py", 1, "x"))
    during = ["", "During handling of the above exception, another exception occurred:", ""]
    second = traceback("TypeError: b", ("/edgetrain/code/train.py", 5, "fit"))

    assert last_exception([*first, *during, *second, "bye"], code) == Raised("TypeError", "train.py:5")


def test_a_program_that_prints_no_traceback_is_told_by_its_status(code: Path) -> None:
    told = reason(code, f"error: {CANARY}", exit_code=3)

    assert told.startswith(CODE)
    assert "status 3" in told


def test_a_missing_module_says_what_to_do(code: Path) -> None:
    last = "ModuleNotFoundError: No module named 'missing_library'"
    told = reason(code, *traceback(last, ("/edgetrain/code/train.py", 2, "<module>")))

    assert "missing_library" in told
    assert "requirements.in" in told


def test_memory_is_told_with_its_limit_and_the_setting_that_raises_it(code: Path) -> None:
    told = reason(code, oom_killed=True, exit_code=137)

    assert told.startswith(CODE)
    assert "512m" in told
    assert "train.resources.memory" in told


def test_a_program_that_others_killed_is_nobody_of_the_pipelines_matter(code: Path) -> None:
    assert reason(code, exit_code=137).startswith(OUTSIDE)


@pytest.mark.parametrize(
    ("stopped", "words"),
    [
        (Stopped.LOG, ("50 MiB", "limits.log")),
        (Stopped.OUTPUT, ("2m in /edgetrain/model", "limits.output")),
        (Stopped.TIME, ("train.running_limit_seconds",)),
    ],
)
def test_a_bound_that_was_exceeded_is_told_with_its_setting(
    code: Path, stopped: Stopped, words: tuple[str, ...]
) -> None:
    told = reason(code, stopped=stopped, exit_code=137)

    assert all(word in told for word in words)


def test_a_sentence_of_the_script_is_told_only_where_the_policy_says_so(code: Path) -> None:
    lines = ("loading", "failed: column age is missing")

    assert "column age" not in reason(code, *lines)
    assert "column age is missing" in reason(code, *lines, script=True)
    assert "column age" not in reason(code, *lines, "bye", script=True)


def test_a_log_that_is_cut_in_a_line_is_read_from_the_next(code: Path) -> None:
    lines = ["x" * 100 for _ in range(2_000)]
    told = reason(code, *lines, *traceback("OSError: x", ("/edgetrain/code/train.py", 5, "fit")))

    assert "OSError" in told


def test_no_log_is_no_trouble(code: Path) -> None:
    log = code.parent / "none.log"
    spec = a_spec(log)
    error = failure_of("x", ContainerResult(exit_code=9), spec, policy=a_policy(), code=code, where="y")

    assert "status 9" in str(error)
