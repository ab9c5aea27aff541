"""Runs a command in a sealed container: no network, nothing to write to but named folders, and a bound on everything.

While it runs, its output folders and its log are watched; what exceeds its bound is killed. However a run ends, its
container is killed, removed and verified to be gone.
"""

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from site_agent.job.engine import Engine, EngineError
from site_agent.job.failures import TrainingError
from site_agent.job.vitals import Network, Vitals
from site_agent.job.watchers import FolderWatcher, log_size

TEMPORARY: Final = "/tmp"  # noqa: S108 - in the container, in memory
PACE: Final = 0.2  # seconds between two looks at output and log
_SHORT: Final = 0.02
_ENDED: Final = ("exited", "stopped")
_END_SECONDS: Final = 60.0  # for the engine to notice that a container has ended
_TASKS: Final = 32_768
_FILES: Final = 65_536
_NO_PROGRAM: Final = ("executable file not found", "no such file or directory", "permission denied")
_SELINUX: Final = Path("/sys/fs/selinux/enforce")


class Stopped(StrEnum):
    """Why a container was killed by us."""

    TIME = "time"
    LOG = "log"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the VM in the container. ``most``: bytes it may grow to, when it is writable."""

    source: Path
    target: str
    most: int | None = None

    @property
    def writable(self) -> bool:
        """Whether the container may write there."""
        return self.most is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A command to run. Sizes in bytes; ``seconds``: the longest it may take; ``log``: where its output is kept."""

    name: str
    image: str
    command: Sequence[str]
    mounts: Sequence[Mount]
    folder: str
    user: int
    memory: int
    cpus: float
    pids: int
    seconds: float
    log: Path
    most_log: int
    gpus: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def temporary(self) -> int:
        """Bytes of ``/tmp`` and of ``/dev/shm``, which count as memory."""
        return self.memory // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerResult:
    """How a container ended. ``stopped``: why we killed it; ``log_bytes`` and ``output_bytes``: at its end."""

    exit_code: int
    oom_killed: bool = False
    stopped: Stopped | None = None
    log_bytes: int = 0
    output_bytes: int = 0
    network: Network = field(default_factory=Network)

    @property
    def timed_out(self) -> bool:
        """Whether it ran for longer than it may."""
        return self.stopped is Stopped.TIME

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself, with status 0."""
        return self.exit_code == 0 and self.stopped is None


def run_container(engine: Engine, spec: ContainerSpec) -> ContainerResult:
    """Run a container to its end and remove it; its image must be on the VM.

    Raises :class:`EngineError` when the engine fails, :class:`TrainingError` when the image lacks the program. No
    container is left, whatever is raised.
    """
    try:
        _create(engine, spec)
        with _vitals(engine, spec) as vitals, FolderWatcher(engine, _outputs(spec)) as watcher:
            _require_limits(engine, spec, vitals)
            engine.expect("start", spec.name, folder=spec.log.parent)
            stopped = _watch(spec, vitals, watcher)
            if stopped is not None:
                engine.call("kill", "--signal", "KILL", spec.name)
            state = _end(engine, spec.name)
            network = vitals.network()
            if not network.measured:  # a receipt says what was counted, and nothing that was not
                raise EngineError("the bytes of a container's network cannot be counted on the VM; it needs nsenter")
            return ContainerResult(
                exit_code=int(state.get("ExitCode", -1)),
                oom_killed=bool(state.get("OOMKilled")) or vitals.memory_ran_out(),
                stopped=stopped,
                log_bytes=log_size(spec.log),
                output_bytes=watcher.total(),
                network=network,
            )
    finally:
        engine.remove(spec.name)


def _create(engine: Engine, spec: ContainerSpec) -> None:
    created = engine.call("create", *flags(engine, spec))
    if created.status == 0:
        created = engine.call(
            "init", spec.name, folder=spec.log.parent
        )  # its namespaces are there, and nothing of it has run
    if created.status == 0:
        return
    said = created.stderr.lower()
    if spec.command[0].lower() in said and any(words in said for words in _NO_PROGRAM):
        raise TrainingError(f"the image has no program {spec.command[0]} to run")
    raise EngineError(f"a container cannot be made on the VM: {created.said}")


@contextmanager
def _vitals(engine: Engine, spec: ContainerSpec) -> Iterator[Vitals]:
    state = engine.state_of(spec.name) or {}
    try:
        vitals = Vitals(int(state.get("Pid") or 0), inside=engine.inside())
    except (ProcessLookupError, OSError):
        raise EngineError("the container's process was gone before it could be watched") from None
    with vitals:
        yield vitals


def _require_limits(engine: Engine, spec: ContainerSpec, vitals: Vitals) -> None:
    """Raises :class:`EngineError` on a VM where the kernel does not grant what the engine was asked for."""
    limit = vitals.memory_limit()
    if (limit is None and engine.rootless) or (limit is not None and limit > spec.memory):
        remedy = "give the user control groups of version 2 with the controllers memory, cpu and pids delegated"
        raise EngineError(f"podman does not limit a container's memory on this VM; {remedy} (docs/training-vm.md)")


def _outputs(spec: ContainerSpec) -> dict[Path, int]:
    return {mount.source: mount.most for mount in spec.mounts if mount.most is not None}


def _watch(spec: ContainerSpec, vitals: Vitals, watcher: FolderWatcher) -> Stopped | None:
    """Wait for the end of the container; why it must be killed, if it must."""
    deadline = time.monotonic() + spec.seconds
    largest_log = 0
    while not vitals.ended(PACE):
        vitals.memory_ran_out()
        written = log_size(spec.log)
        if written > spec.most_log or written < largest_log:  # a log that shrinks was cut by the engine
            return Stopped.LOG
        largest_log = written
        if watcher.exceeded():
            return Stopped.OUTPUT
        if time.monotonic() > deadline:
            return Stopped.TIME
    # Between the last look and the end it may have written much.
    if log_size(spec.log) > spec.most_log or log_size(spec.log) < largest_log:
        return Stopped.LOG
    return Stopped.OUTPUT if watcher.exceeded(now=True) else None


def _end(engine: Engine, name: str) -> dict[str, Any]:
    """The engine's state of a container whose process has ended, as soon as the engine knows it."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        state = engine.state_of(name)
        if state is None:
            break
        if state.get("Status") in _ENDED:
            return state
        time.sleep(_SHORT)
    raise EngineError(f"the end of container {name} is not known to podman")


def flags(engine: Engine, spec: ContainerSpec) -> list[str]:
    """The arguments of ``create``. Pure but for the limits of this process and SELinux being on."""
    mounts = [part for mount in spec.mounts for part in ("--volume", _volume(mount))]
    variables = {"HOME": TEMPORARY, "TMPDIR": TEMPORARY, "PYTHONUNBUFFERED": "1", **spec.environment}
    devices = [part for number in range(spec.gpus) for part in ("--device", f"nvidia.com/gpu={number}")]
    return [
        *("--name", spec.name),
        *engine.labels(),
        *("--pull", "never"),
        *("--network", "none"),
        "--read-only",
        *("--cap-drop", "all"),
        *("--security-opt", "no-new-privileges"),
        *("--user", f"{spec.user}:{spec.user}"),
        *("--pids-limit", str(spec.pids)),
        *("--memory", str(spec.memory), "--memory-swap", str(spec.memory)),
        *("--cpus", f"{spec.cpus:g}"),
        *_ulimits(spec),
        *("--ipc", "private", "--shm-size", str(spec.temporary)),
        *("--tmpfs", f"{TEMPORARY}:rw,nosuid,nodev,mode=1777,size={spec.temporary}"),
        *_log_flags(spec),
        "--http-proxy=false",
        "--no-hosts",
        *("--restart", "no"),
        *mounts,
        *devices,
        *(part for name, value in sorted(variables.items()) for part in ("--env", f"{name}={value}")),
        *("--workdir", spec.folder),
        *("--entrypoint", ""),
        spec.image,
        *spec.command,
    ]


def _volume(mount: Mount) -> str:
    shared = ["z"] if _SELINUX.exists() else []  # without a label of containers, SELinux lets none in
    return f"{mount.source}:{mount.target}:{','.join(['rw' if mount.writable else 'ro', 'nosuid', 'nodev', *shared])}"


def _ulimits(spec: ContainerSpec) -> list[str]:
    """No core dumps; no file larger than all output; the others as high as this process may set them, up to a bound."""
    largest = max([*_outputs(spec).values(), spec.temporary])
    limits = {
        "core": 0,
        "fsize": largest,
        "nofile": _bounded(resource.RLIMIT_NOFILE, _FILES),
        "nproc": _bounded(resource.RLIMIT_NPROC, _TASKS),  # of all containers of this user; --pids-limit is for one
    }
    return [part for name, most in limits.items() for part in ("--ulimit", f"{name}={most}:{most}")]


def _bounded(kind: int, most: int) -> int:
    _, hard = resource.getrlimit(kind)
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def _log_flags(spec: ContainerSpec) -> list[str]:
    # The engine cuts a log of twice the size, should it grow that fast.
    path, most = f"path={spec.log}", f"max-size={2 * spec.most_log}"
    return ["--log-driver", "k8s-file", "--log-opt", path, "--log-opt", most]
