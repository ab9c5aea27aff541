"""What is told of whatever a training raises: whose matter it is, and nothing that may be data."""

import errno
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.job_modules import common_modules

with common_modules("job_failures") as (_module,):
    job_failures: ModuleType = _module

SECRET = "8675309.125"


def raised_by(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - also those that end processes
        return error
    raise AssertionError("nothing was raised")


def raise_(error: BaseException) -> None:
    raise error


def imports_what_is_not_there() -> None:
    import lightgbm_of_nobody  # type: ignore[import-not-found]  # noqa: F401


def asks_for_a_missing_key() -> object:
    return {SECRET: 1}["most_depth"]


def asks_for_a_missing_name() -> object:
    return most_dpeth  # type: ignore[name-defined]  # noqa: F821


def imports_a_value() -> None:
    __import__(f"patient_{SECRET.partition('.')[0]}")


@pytest.mark.parametrize(
    ("work", "kind", "words"),
    [
        (lambda: raise_(job_failures.DataError("a.csv, line 2: empty")), "data", "a.csv, line 2: empty"),
        (lambda: raise_(job_failures.OutsideError("the hub is away")), "outside", "the hub is away"),
        (lambda: raise_(OSError(errno.ENOSPC, SECRET, SECRET)), "outside", "disk is full: No space left on device"),
        (lambda: raise_(OSError(errno.EDQUOT, SECRET)), "outside", "disk is full: Disk quota exceeded"),
        (lambda: raise_(OSError(errno.EIO, SECRET)), "outside", "Input/output error"),
        (lambda: raise_(OSError(errno.ENOMEM, SECRET)), "outside", "enough memory"),
        (lambda: raise_(MemoryError(SECRET)), "outside", "the VM does not have enough memory (MemoryError at "),
        (lambda: raise_(FileNotFoundError(errno.ENOENT, SECRET, SECRET)), "code", "No such file or directory"),
        (lambda: raise_(OSError(SECRET)), "code", "OSError at test_job_failures.py:"),
        (imports_what_is_not_there, "outside", "the module 'lightgbm_of_nobody' is not in the environment on the VM"),
        (imports_a_value, "outside", "a module is not in the environment on the VM"),
        (asks_for_a_missing_key, "code", "KeyError ('most_depth' is not there) at test_job_failures.py:"),
        (asks_for_a_missing_name, "code", "NameError ('most_dpeth' is not there) at test_job_failures.py:"),
        (lambda: raise_(KeyError(SECRET)), "code", "KeyError at test_job_failures.py:"),
        (lambda: raise_(KeyError("patient_miller")), "code", "KeyError ('patient_miller' is not there)"),
        (lambda: raise_(SystemExit(f"bad row {SECRET}")), "code", "the training code ended the process at "),
        (lambda: raise_(KeyboardInterrupt(SECRET)), "outside", "the training was interrupted at "),
        (lambda: raise_(ValueError(SECRET)), "code", "in raise_; its text is withheld, because it may quote the data"),
        (lambda: raise_(BaseExceptionGroup(SECRET, [ValueError(SECRET)])), "code", "ExceptionGroup at "),
        (lambda: raise_(type(f"Bad{SECRET}", (ValueError,), {})()), "code", "ValueError at "),
    ],
)
def test_each_cause_has_its_kind_and_its_words(work: Callable[[], object], kind: str, words: str) -> None:
    failure = job_failures.failure_of(raised_by(work))

    assert failure.kind == kind
    assert words in failure.reason
    assert SECRET.partition(".")[0] not in failure.reason


class _UntellableError(OSError):
    def __getattribute__(self, name: str) -> object:
        raise ValueError(SECRET)


def test_an_exception_that_fails_when_it_is_asked_is_reported_all_the_same() -> None:
    nameless = eval('type("Bad", (ValueError,), {})', {})  # of no module

    assert job_failures.failure_of(raised_by(lambda: raise_(_UntellableError()))).reason == (
        "the training code raised an error that cannot be described"
    )
    assert job_failures.failure_of(raised_by(lambda: raise_(nameless()))).reason.startswith("ValueError at ")


def test_a_name_from_the_data_is_not_shown_because_it_looks_like_a_name() -> None:
    value = "".join(["pat", "ient", "_smith"])

    known: dict[str, int] = {}

    failure = job_failures.failure_of(raised_by(lambda: known[value]))

    assert failure.reason.startswith("KeyError at ")
    assert value not in failure.reason


def test_a_fault_in_the_language_is_named_by_its_line(tmp_path: object) -> None:
    failure = job_failures.failure_of(raised_by(lambda: compile("fit(features", "row-8675309.125", "exec")))

    assert failure.reason.startswith("SyntaxError at test_job_failures.py:")


def test_where_the_text_can_be_read_is_said() -> None:
    failure = job_failures.failure_of(
        raised_by(lambda: raise_(ValueError(SECRET))), whole_text="~/edgetrain/logs/r.log on the VM"
    )

    assert failure.reason.endswith("; read it in ~/edgetrain/logs/r.log on the VM")


@given(text=st.text(max_size=3000))
def test_a_reason_is_one_bounded_line(text: str) -> None:
    reason = job_failures.failure_of(job_failures.DataError(text)).reason

    assert len(reason) <= job_failures.LONGEST_REASON
    assert reason.isprintable()


@given(
    text=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=3, max_size=20),
    kind=st.sampled_from(
        [
            ValueError,
            KeyError,
            OSError,
            SystemExit,
            KeyboardInterrupt,
            ImportError,
            ModuleNotFoundError,
            MemoryError,
            TypeError,
            AttributeError,
            NameError,
            UserWarning,
            StopIteration,
            AssertionError,
            RuntimeError,
            RecursionError,
            TimeoutError,
        ]
    ),
)
def test_no_text_of_an_exception_is_passed_on(text: str, kind: type[BaseException]) -> None:
    assert text not in job_failures.failure_of(raised_by(lambda: raise_(kind(text)))).reason
