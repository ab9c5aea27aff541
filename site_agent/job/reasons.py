"""What may be said about a container that failed, in words that cannot hold data.

Whoever wrote the training code chose what it prints, so nothing of it is quoted. The reason is made of what is fixed
before it ran, and of numbers with a bound: exit status, a builtin class of exceptions, a line of the submitted code, a
module that the code imports. Those choices carry at most some thirty bits. A sentence of the script itself is passed on
only where the site's policy says so (``leaves.reasons: script``). Pure but for reading the log and the code.
"""

import builtins
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from site_agent.job.container_logs import last_lines
from site_agent.job.containers import ContainerResult, ContainerSpec, Stopped
from site_agent.job.failures import JobError, OutsideError, TrainingError, bounded
from site_agent.job.fields import shown_size
from site_agent.job.folders import DEEPEST, MOST_FILES
from site_agent.job.policy import Policy

CODE_FOLDER: Final = "/edgetrain/code"
LONGEST_SENTENCE: Final = 200
_OTHER_KIND: Final = "an exception of a library or of its own"
_SENTENCE: Final = "failed: "
_FRAME: Final = re.compile(r'\s+File "([^"]+)", line ([0-9]{1,7})(?:, in (.+))?')
_RAISED: Final = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?", re.DOTALL)
_NO_MODULE: Final = re.compile(r"No module named '([A-Za-z_][\w.]*)'.*", re.DOTALL)
_CLASSES: Final = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
)
_MIB: Final = 1024**2


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that ended a program. ``kind``: a builtin class, or empty; ``place``: in our code, or empty."""

    kind: str = ""
    place: str = ""
    module: str = ""


def failure_of(
    what: str, result: ContainerResult, spec: ContainerSpec, *, policy: Policy, code: Path, where: str
) -> JobError:
    """Why a container failed. ``what``: how it is called, such as ``train.command``; ``where``: its log, as shown."""
    error = _of_bounds(what, result, spec, policy) or _of_the_program(what, result, spec, code)
    sentence = _sentence(spec.log) if policy.leaves.reasons == "script" else ""
    said = f'; it says "{sentence}"' if sentence else ""
    return type(error)(bounded(f"{error}{said}; what it printed is in {where}"))


def _of_bounds(what: str, result: ContainerResult, spec: ContainerSpec, policy: Policy) -> JobError | None:
    if result.stopped is Stopped.TIME:
        return TrainingError(f"{what} did not end in the time that the run has (train.running_limit_seconds)")
    if result.stopped is Stopped.LOG:
        most = f"{spec.most_log // _MIB} MiB" if spec.most_log >= _MIB else f"{spec.most_log} bytes"
        return TrainingError(f"{what} printed more than {most} (limits.log in {policy.file} on the VM); print less")
    if result.stopped is Stopped.OUTPUT:
        bounds = ", ".join(
            f"{shown_size(mount.most)} in {mount.target}" for mount in spec.mounts if mount.most is not None
        )
        return TrainingError(
            f"{what} wrote more than it may: {bounds} (limits.output and limits.disk in {policy.file}), or more than"
            f" {MOST_FILES:,} files, or folders more than {DEEPEST} deep"
        )
    if result.oom_killed:
        return _memory(what, spec, policy)
    return None


def _memory(what: str, spec: ContainerSpec, policy: Policy) -> JobError:
    limit, most = shown_size(spec.memory), shown_size(policy.limits.memory)
    remedy = f"raise train.resources.memory, which may be {most} on this VM, or train on less at a time"
    if spec.memory >= policy.limits.memory:
        remedy = f"train on less at a time, or raise limits.memory in {policy.file} on the VM and then the pipeline's"
    return TrainingError(f"{what} ran out of memory, of which it has {limit} (train.resources.memory); {remedy}")


def _of_the_program(what: str, result: ContainerResult, spec: ContainerSpec, code: Path) -> JobError:
    status = result.exit_code
    killed = _signal(status)
    if killed == "SIGKILL":
        reason = f"{what} was killed, which the VM does to programs when its memory runs out"
        return OutsideError(f"{reason}; check what else runs on it")
    if killed:
        return TrainingError(f"{what} was ended by {killed} (status {status})")
    raised = last_exception(last_lines(spec.log), code)
    return TrainingError(f"{what} {_ending(raised, spec)} (status {status})")


def _ending(raised: Raised, spec: ContainerSpec) -> str:
    at = f" at {raised.place}" if raised.place else ""
    if raised.kind == "ModuleNotFoundError":
        name = f"the module {raised.module}" if raised.module else "a module"
        remedy = "name its package in requirements.in, run make lock, and make the dependency image"
        return f"imports {name}{at}, which is not in the dependency image; {remedy}"
    if raised.kind == "MemoryError":
        return f"asked for more memory than there is{at}; it has {shown_size(spec.memory)} (train.resources.memory)"
    if raised.kind or raised.place:
        return f"ended with {raised.kind or _OTHER_KIND}{at}"
    return "ended"


def last_exception(lines: list[str], code: Path) -> Raised:
    """The exception of the last traceback of Python among the lines, as far as it may be told."""
    begin = next((n for n in reversed(range(len(lines))) if lines[n].startswith("Traceback (most recent")), None)
    frames = [found for line in lines[begin:] if begin is not None and (found := _FRAME.fullmatch(line))]
    place = next((shown for found in reversed(frames) if (shown := _place(found, code))), "")
    after = [line for line in lines[begin:] if begin is not None and not line.startswith((" ", "Traceback"))]
    ending = _RAISED.fullmatch(after[0]) if after else None
    if ending is None:
        return Raised(place=place)
    kind = ending[1] if ending[1] in _CLASSES else ""
    missing = _NO_MODULE.fullmatch(ending[2] or "") if kind == "ModuleNotFoundError" else None
    return Raised(kind, place, _imported(missing[1], code) if missing else "")


def _place(frame: "re.Match[str]", code: Path) -> str:
    """A line of the submitted code, as ``train.py:12``; empty for any other, whose name could be anything."""
    name = frame[1].removeprefix(f"{CODE_FOLDER}/")
    source = _sources(code).get(name)
    if source is None or not 1 <= int(frame[2]) <= source.count("\n") + 1:
        return ""
    return f"{name}:{int(frame[2])}"


def _imported(name: str, code: Path) -> str:
    """The module's name if the code imports it by that name, or by the first part of it."""
    for part in (name, name.partition(".")[0]):
        pattern = re.compile(rf"^\s*(?:import|from)\s[^\n#]*\b{re.escape(part)}\b", re.MULTILINE)
        if any(pattern.search(source) for source in _sources(code).values()):
            return part
    return ""


def _sources(code: Path) -> dict[str, str]:
    return {
        path.relative_to(code).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in code.rglob("*.py")
        if path.is_file() and not path.is_symlink()
    }


def _signal(status: int) -> str:
    """The signal that a status stands for, as shells and engines count."""
    try:
        return signal.Signals(status - 128).name if status > 128 else ""
    except ValueError:
        return ""


def _sentence(log: Path) -> str:
    line = next((line for line in reversed(last_lines(log)) if line.strip()), "")
    return bounded(line.removeprefix(_SENTENCE), LONGEST_SENTENCE) if line.startswith(_SENTENCE) else ""
