"""Each cause has its own sentence, its own remedy and its own kind; what the training printed is in none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.training.failure_causes import FailureTrace, failure_cause, failure_kind_of, why_cancelled
from shared.errors import Code, PermanentError
from shared.messages import FailureKind

ROW = "8251,Miller,6.02,malignant"
OUTSIDE, UNKNOWN = FailureKind.OUTSIDE, FailureKind.UNKNOWN


def a_trace(**known: str) -> FailureTrace:
    return FailureTrace(**({"run_id": "digits-abababababab-1", "pipeline": "digits"} | known))


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_training_says_itself_whose_matter_it_is(kind: FailureKind) -> None:
    cause = failure_cause(
        a_trace(said="landing/a.csv: line 3 is cut", kind=kind.value, service="exited with status 137")
    )

    assert (cause.kind, cause.reason) == (kind, "landing/a.csv: line 3 is cut")


@pytest.mark.parametrize("kind", ["", "Data", "weather"])
def test_words_without_a_kind_that_is_known_are_quoted_and_count_against_nobody(kind: str) -> None:
    cause = failure_cause(a_trace(said="it went wrong", kind=kind))

    assert (cause.kind, cause.reason) == (UNKNOWN, "it went wrong")


def test_a_kind_without_words_is_reported_with_the_place_of_the_log() -> None:
    cause = failure_cause(a_trace(kind="code"))

    assert cause.kind is FailureKind.CODE
    assert "its code" in cause.reason
    assert "/logs/digits-abababababab-1.log on the VM" in cause.reason


@pytest.mark.parametrize(
    ("service", "code", "kind", "expected", "remedy"),
    [
        ("the script exited with status 137", "UserError", OUTSIDE, "ran out of memory", "give it more memory"),
        ("Process exited with code: 137", "UserError", OUTSIDE, "ran out of memory", "data.select"),
        ("Process exited with status code -9.", "UserError", OUTSIDE, "ran out of memory", "give it more memory"),
        ("ExecutionFailed: exit code: -15", "UserError", OUTSIDE, "was stopped by a signal", "find out who"),
        ("exited with code -11", "UserError", UNKNOWN, "signal 11", "state/logs"),
        (
            "User program failed with OSError: connection refused",
            "UserError",
            UNKNOWN,
            "UserError",
            "state/logs",
        ),
        ("the script exited with status 143", "UserError", OUTSIDE, "was stopped by a signal", "find out who"),
        ("the script exited with status 139", "UserError", UNKNOWN, "signal 11", "state/logs"),
        ("the script exited with status 1", "UserError", UNKNOWN, "exit status 1", "state/logs"),
        ("Job failed with non-zero exit code 2", "UserError", UNKNOWN, "exit status 2", "state/logs"),
        ("the process vanished", "UserError", OUTSIDE, "without an exit status", "find out why"),
        ("SSH to 10.0.0.4 port 22 failed: timed out", "UserError", OUTSIDE, "could not reach the VM", "VM is up"),
        ("Connection refused by 10.0.0.4", "UserError", OUTSIDE, "could not reach the VM", "VM is up"),
        ("anything", "ServiceError", OUTSIDE, "Azure ML itself failed (ServiceError)", "health of the service"),
        ("anything", "UserError", UNKNOWN, "the error UserError", "state/logs"),
        ("", "", UNKNOWN, "Azure ML gives no reason", "state/logs"),
        ("", "rm -rf /; 8251,Miller,6.02,malignant", UNKNOWN, "Azure ML gives no reason", "state/logs"),
        (
            "the script exited with status 127\nsh: /home/ml/environments/0a/bin/python: not found",
            "UserError",
            OUTSIDE,
            "the job that trains is not installed",
            "edgetrain prepare-vm --pipeline digits",
        ),
        (
            "the script exited with status 1\nOSError: [Errno 28] No space left on device",
            "UserError",
            OUTSIDE,
            "disk is full",
            "make room",
        ),
        (
            "the script exited with status 1\nredis: connection refused by 10.0.0.9",
            "UserError",
            UNKNOWN,
            "exit status 1",
            "state/logs",
        ),
    ],
)
def test_without_a_word_of_the_training_what_the_service_knows_decides(
    service: str, code: str, kind: FailureKind, expected: str, remedy: str
) -> None:
    cause = failure_cause(a_trace(service=f"{service}\n{ROW}", code=code))

    assert cause.kind is kind
    assert expected in cause.reason
    assert remedy in cause.reason
    assert "Miller" not in cause.reason


@given(st.text(max_size=2000))
def test_the_services_text_is_never_shown_and_never_the_datas_or_the_codes_fault(text: str) -> None:
    cause = failure_cause(a_trace(service=f"{text}{ROW}"))

    assert not cause.kind.counts
    assert "Miller" not in cause.reason
    assert len(cause.reason) < 500


def test_why_the_service_cancelled_is_said_in_our_words() -> None:
    reason = why_cancelled(f"the run took longer than maxRunDurationSeconds of 3\n{ROW}")

    assert "train.running_limit_seconds" in reason
    assert "Miller" not in reason
    assert why_cancelled(ROW) == ""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.BAD_CONFIGURATION, OUTSIDE),
        (Code.REGISTRY_REFUSED, OUTSIDE),
        (Code.TARGET_NOT_PREPARED, OUTSIDE),
        (Code.DEPENDENCY_IMAGE_MISSING, OUTSIDE),
        (Code.TRAINING_OUTPUT_MISSING, FailureKind.CODE),
        (Code.TRAINING_UNKNOWN, UNKNOWN),
        (Code.CANDIDATE_FAILED, UNKNOWN),
    ],
)
def test_every_refusal_has_a_kind(code: Code, kind: FailureKind) -> None:
    assert failure_kind_of(PermanentError("no", code=code)) is kind
