"""The failure kind of a training (data, code, outside, unknown), and the sentence about it. Pure.

Only data and code count against a fingerprint. A training reports the kind where it can. When it was killed or never
began, the service's error code, an exit status, and known phrases decide. The service's text is never shown, because it
ends with what the training printed. An unknown cause does not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import Code, PermanentError
from shared.messages import FailureKind
from shared.values.texts import shortened


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureTrace:
    """What is known about a failed training: its own reason and kind, and the service's error.

    ``run_id`` and ``pipeline`` are for the sentences; ``service`` is only matched, never shown.
    """

    run_id: str
    pipeline: str
    said: str = ""
    kind: str = ""
    code: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class FailureCause:
    """The failure kind, the reason, and what to do about it."""

    kind: FailureKind
    reason: str


_BY_SIGNAL = 128  # a shell adds the signal's number to it; Python gives that number with a minus
_PROGRAMS_WORDS = re.compile(r"\bUser program failed with\b", re.IGNORECASE)  # text after this is not the service's
_LONGEST_SAID = 1_000  # characters; a job reports all its faulty files at once
KILLED, ENDED = _BY_SIGNAL + 9, _BY_SIGNAL + 15

_SERVICE_ITSELF = frozenset({"ServiceError", "SystemError", "InternalServerError", "TransientError"})
_EXIT_STATUS = re.compile(r"\bexit(?:ed)?\b[\w -]{0,20}\b(?:code|status)\b\W{0,3}?(-?\d{1,3})\b", re.IGNORECASE)
_ANYWHERE = (
    (
        re.compile(
            r"\bpython\S*:? +(?:command )?not found|\bpython\S*: No such file|No module named \W?site_agent\b",
            re.IGNORECASE,
        ),
        "the job that trains is not installed on the VM; prepare the VM: edgetrain prepare-vm --pipeline {pipeline}",
    ),
    (
        re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded", re.IGNORECASE),
        "the VM's disk is full; make room on it, such as by removing old environments and images",
    ),
)
_FIRST_LINE = (
    (
        re.compile(
            r"\bSSH to .{1,100} failed|\b(?:unable|failed|could not) (?:to )?(?:connect|ssh)|\bno route to host"
            r"|\bconnection (?:refused|timed out)|\bnode .{0,40}\bunreachable",
            re.IGNORECASE,
        ),
        "Azure ML could not reach the VM by SSH; check that the VM is up and lets it in, and that the key is right",
    ),
    (
        re.compile(r"\bthe process vanished\b", re.IGNORECASE),
        "the training's process ended without an exit status, as when the VM restarts; find out why it went down",
    ),
)
_TOO_LONG = re.compile(r"maxRunDurationSeconds", re.IGNORECASE)
_OUTSIDE = frozenset(
    {
        Code.BAD_CONFIGURATION,
        Code.REGISTRY_REFUSED,
        Code.TARGET_NOT_PREPARED,
        Code.DEPENDENCY_IMAGE_MISSING,
        Code.IMAGE_MOVED,
        Code.ADMITTED_BEFORE,
        Code.NOT_READY,
    }
)


def failure_cause(trace: FailureTrace) -> FailureCause:
    """The cause of a training's failure."""
    kind = FailureKind(trace.kind) if trace.kind in set(FailureKind) else FailureKind.UNKNOWN
    if trace.said.strip():
        return FailureCause(kind, shortened(trace.said, _LONGEST_SAID))
    if kind in _WORDS:
        return FailureCause(kind, f"the training reported only that the cause is {_WORDS[kind]}; {_log_place(trace)}")
    return _from_service(trace)


def why_cancelled(service: str) -> str:
    """Why the service itself cancelled a training; empty when it gives no reason, or somebody requested it."""
    if _TOO_LONG.search(service):
        return (
            "Azure ML ended the training, because it took longer than a run may take;"
            " raise train.running_limit_seconds if it needs longer"
        )
    return ""


def failure_kind_of(error: PermanentError) -> FailureKind:
    """The failure kind of a permanent error."""
    if error.code in _OUTSIDE:
        return FailureKind.OUTSIDE
    return FailureKind.CODE if error.code is Code.TRAINING_OUTPUT_MISSING else FailureKind.UNKNOWN


def common_failure_kind(kinds: Iterable[FailureKind | None]) -> FailureKind:
    """The failure kind of several failures: outside only when each is, because that is tried again."""
    every = {kind or FailureKind.UNKNOWN for kind in kinds}
    return every.pop() if len(every) == 1 else FailureKind.UNKNOWN


_WORDS = {
    FailureKind.DATA: "its data",
    FailureKind.CODE: "its code",
    FailureKind.OUTSIDE: "something outside of it",
}


def _from_service(trace: FailureTrace) -> FailureCause:
    """The cause in the service's error; only its first line is the service's own, the training's output may follow."""
    first = trace.service.partition("\n")[0]
    status = _EXIT_STATUS.search(first)
    others = status is not None or _PROGRAMS_WORDS.search(first) is not None
    found = _known_cause(_ANYWHERE, trace.service, trace) or ("" if others else _known_cause(_FIRST_LINE, first, trace))
    if found:
        return FailureCause(FailureKind.OUTSIDE, found)
    if status is not None:
        number = int(status[1])
        return _from_status(_BY_SIGNAL - number if number < 0 else number, trace)
    if trace.code in _SERVICE_ITSELF:
        reason = f"Azure ML itself failed ({trace.code}); check the health of the service in the Azure portal"
        return FailureCause(FailureKind.OUTSIDE, reason)
    said = f"Azure ML gives the error {trace.code}" if _is_word(trace.code) else "Azure ML gives no reason"
    return _unknown(f"the training failed without a reason of its own, and {said}; {_log_place(trace)}")


def _known_cause(causes: tuple[tuple[re.Pattern[str], str], ...], text: str, trace: FailureTrace) -> str:
    """The sentence for the first known phrase in the text; empty when there is none."""
    return next((reason.format(pipeline=trace.pipeline) for words, reason in causes if words.search(text)), "")


def _from_status(status: int, trace: FailureTrace) -> FailureCause:
    if status == KILLED:
        return FailureCause(
            FailureKind.OUTSIDE,
            f"the training was killed (exit status {KILLED}), most often because the VM ran out of memory;"
            " check the VM's kernel log (dmesg), give it more memory, or let it train on less (data.select)",
        )
    if status == ENDED:
        return FailureCause(
            FailureKind.OUTSIDE,
            f"the training was stopped by a signal (exit status {ENDED}), as when the VM shuts down or somebody stops"
            " it; find out who did",
        )
    if status > _BY_SIGNAL:
        return _unknown(
            f"the training crashed with signal {status - _BY_SIGNAL} (exit status {status}), as native code can;"
            f" {_log_place(trace)}"
        )
    return _unknown(f"the training ended with exit status {status} without a reason of its own; {_log_place(trace)}")


def _unknown(reason: str) -> FailureCause:
    return FailureCause(FailureKind.UNKNOWN, reason)


def _log_place(trace: FailureTrace) -> str:
    return f"read ~/edgetrain/state/logs/{trace.run_id}.log on the VM"


def _is_word(code: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9.]{0,99}", code) is not None
