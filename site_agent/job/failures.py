"""Errors of the job whose texts are safe for the cloud, by whose matter they are.

The kinds are those that the app reads from the tag ``edgetrain.failure_kind``.
"""

from typing import ClassVar

DATA, CODE, OUTSIDE = "data", "code", "outside"
LONGEST_REASON = 900  # characters


class JobError(Exception):
    """Raised on purpose: the text holds no data and no secret, and is shown to people."""

    kind: ClassVar[str] = CODE


class DataError(JobError):
    """The training data cannot be used; the text is also for the data owner."""

    kind = DATA


class TrainingError(JobError):
    """The training code, its parameters or its pipeline file are wrong."""


class OutsideError(JobError):
    """Neither data nor code: the hub, the VM or its engine, the registry, or what the site's policy refuses."""

    kind = OUTSIDE


class InterruptedJobError(OutsideError):
    """The run was cancelled, or the VM is shutting down."""


def bounded(text: str, longest: int = LONGEST_REASON) -> str:
    """The text on one line of printable characters, without its middle when it is too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(line) <= longest:
        return line
    half = (longest - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"
