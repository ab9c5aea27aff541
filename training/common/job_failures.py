"""The failure kind and the reason of a failed job, in words that are safe for the cloud.

Exception texts often quote data, so the text of a foreign exception is never passed on. The reason is made only of what
cannot hold data: the class, the system's text for an error number, the place in the code, and names that stand in the
source code there.
"""

import errno
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA, CODE, OUTSIDE = "data", "code", "outside"  # the kinds of failures, as the app reads them
LONGEST_REASON = 900  # characters

_NAME = re.compile(r"[A-Za-z_][\w.]{0,99}", re.ASCII)
_HERE = Path(__file__).resolve().parent


class JobError(Exception):
    """Raised on purpose: the text is safe for the cloud."""

    kind = CODE


class DataError(JobError):
    """The training data cannot be used; the text is also for the data owner."""

    kind = DATA


class TrainingError(JobError):
    """The training code or its parameters are wrong."""


class OutsideError(JobError):
    """Neither data nor code failed, but the hub, the VM, or the libraries on it."""

    kind = OUTSIDE


@dataclass(frozen=True)
class Failure:
    """What is reported of a failure."""

    kind: str
    reason: str


def failure_of(error: BaseException, *, whole_text: str = "") -> Failure:
    """The failure kind and the reason of an exception. ``whole_text``: the file on the VM with the full text."""
    try:
        return _failure_of(error, whole_text)
    except BaseException:  # noqa: BLE001 - an exception may be of a class that fails when it is asked
        return Failure(CODE, "the training code raised an error that cannot be described")


def _failure_of(error: BaseException, whole_text: str) -> Failure:
    if isinstance(error, JobError):
        return Failure(error.kind, bounded(str(error)))
    at = f" at {_place(error)}"
    for match in (_of_memory, _of_modules, _of_the_system, _of_ends):
        found = match(error, at)
        if found is not None:
            return Failure(found.kind, bounded(found.reason))
    withheld = "its text is withheld, because it may quote the data"
    where = f"; read it in {whole_text}" if whole_text else ""
    return Failure(CODE, bounded(f"{_class_of(error)}{_named(error)}{at}; {withheld}{where}"))


def bounded(text: str, longest: int = LONGEST_REASON) -> str:
    """The text on one line of printable characters, without its middle when it is too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(line) <= longest:
        return line
    half = (longest - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"


def places(error: BaseException) -> list[str]:
    """The stack, outermost first: files, lines and functions, without values."""
    return [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_file()  # code that was made while it ran may be named after anything
    ]


def _of_memory(error: BaseException, at: str) -> Failure | None:
    if not isinstance(error, MemoryError) and getattr(error, "errno", None) != errno.ENOMEM:
        return None
    remedy = "give it more, train on less, or check what else runs there"
    return Failure(OUTSIDE, f"the VM does not have enough memory ({_class_of(error)}{at}); {remedy}")


def _of_modules(error: BaseException, at: str) -> Failure | None:
    if not isinstance(error, ModuleNotFoundError):
        return None
    name = next(_shown_names(error), None)
    what = f"the module {name!r}" if name else "a module"
    remedy = "name its package in requirements.in, write the lock again (make lock), and prepare the VM"
    return Failure(OUTSIDE, f"{what} is not in the environment on the VM (imported{at}); {remedy}")


def _of_the_system(error: BaseException, at: str) -> Failure | None:
    """What the operating system refuses, by its number: the text, and the file's name, may be anything."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number not in errno.errorcode:
        return None
    what = f"{os.strerror(number)} ({_class_of(error)}{at})"
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return Failure(OUTSIDE, f"the VM's disk is full: {what}; free some space on it")
    if number in {errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE}:
        return Failure(OUTSIDE, f"the VM has a problem: {what}; check its disk and its limits")
    remedy = "correct the path, or what else the training code asks of the VM"
    return Failure(CODE, f"the training code asked the VM for something that failed: {what}; {remedy}")


def _of_ends(error: BaseException, at: str) -> Failure | None:
    if isinstance(error, SystemExit):
        return Failure(CODE, f"the training code ended the process{at}; it must return, or raise an exception")
    if isinstance(error, KeyboardInterrupt):
        return Failure(OUTSIDE, f"the training was interrupted{at}")
    return None


def _place(error: BaseException) -> str:
    """The last line of the job's own code that the exception came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_file()]
    ours = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(_HERE)] or frames
    if isinstance(error, SyntaxError) and _is_source(error.filename):
        return f"{Path(str(error.filename)).name}:{error.lineno}"
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else "an unknown place"


def _is_source(name: str | None) -> bool:
    return name is not None and Path(name).resolve().is_relative_to(_HERE) and Path(name).is_file()


def _class_of(error: BaseException) -> str:
    """The nearest class with a name that stands in code: one made while it ran may be named after anything."""
    for kind in type(error).__mro__:
        module = sys.modules.get(getattr(kind, "__module__", ""))
        if getattr(module, kind.__qualname__, None) is kind:
            return kind.__name__
    return "BaseException"


def _named(error: BaseException) -> str:
    """The name that was not found, such as a misspelled one."""
    name = next(_shown_names(error), None)
    return f" ({name!r} is not there)" if name else ""


def _shown_names(error: BaseException) -> Iterator[str]:
    """Names in the exception that stand in the source text of a line that it came through, as names do."""
    candidates = [getattr(error, "name", None), *(error.args[:1] if isinstance(error, KeyError) else ())]
    names = [name for name in candidates if isinstance(name, str) and _NAME.fullmatch(name)]
    lines = [_source_of(frame) for frame in traceback.extract_tb(error.__traceback__)]
    for part in [part for name in names for part in (name, name.partition(".")[0])]:
        if any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", line) for line in lines):
            yield part


def _source_of(frame: traceback.FrameSummary) -> str:
    if not Path(frame.filename).is_file() or frame.lineno is None:
        return ""
    last = frame.end_lineno or frame.lineno
    return " ".join(linecache.getline(frame.filename, number) for number in range(frame.lineno, last + 1))
