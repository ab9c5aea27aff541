"""The VM's container engine, podman, by its command line.

Not docker: whoever may call its daemon is root on the VM, and the job is not to be.

Everything the engine gets from its surroundings (PATH, HOME, its configuration) comes from the installation on the VM
and never from the environment of the job, which the cloud writes.
"""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from site_agent.job.failures import OutsideError, bounded

RUN_LABEL: Final = "edgetrain.job"
"""On every container of a run: its run id."""
STATE_LABEL: Final = "edgetrain.state"
"""And the installation that it belongs to, see :attr:`Engine.state`."""
RUN_VARIABLE: Final = "EDGETRAIN_RUN"
"""In the environment of every call of the engine, so that calls that outlive the job are found."""

PULL: Final = "pull"
CALL_SECONDS: Final = 120.0
PULL_SECONDS: Final = 3600.0
_PATIENCE: Final = 20.0  # seconds for a call to end by itself when the job is interrupted
_REMOVALS: Final = 5
_MISSING: Final = ("no such container", "no container with")
_HALF_MADE: Final = "storage"  # how podman calls what is in its storage and not in its own records


class EngineError(OutsideError):
    """The engine does not do what it should."""


class ImageError(OutsideError):
    """The registry does not have an image, or does not give it to this VM."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """The last line of its error output; engines quote our own arguments there, and nothing of a container."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        return bounded(lines[-1] if lines else f"status {self.status}", 300)


@dataclass(frozen=True, slots=True)
class Engine:
    """Podman, as it is called for one run.

    ``environment``: all that its calls get. ``state``: what this installation's containers are known by.
    ``authfile``: the VM's pull-only credentials, in the form that ``podman login`` writes.
    """

    program: str
    environment: Mapping[str, str]
    state: str
    authfile: Path | None = None
    run_id: str = ""

    def call(self, *arguments: str, seconds: float = CALL_SECONDS, folder: Path | None = None) -> Finished:
        """Call the engine; raises :class:`EngineError` when it cannot be started, or does not end in time.

        ``folder``: where it works. What watches a container there leaves a file when the container's memory runs out.
        """
        try:
            # A session of its own: a signal to the job's does not leave a container half made.
            process = subprocess.Popen(
                [self.program, *arguments],
                cwd=folder,
                env={**self.environment, RUN_VARIABLE: self.run_id},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"podman cannot be started on the VM ({error.strerror})") from None
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process, patience=0)
            raise EngineError(f"podman {arguments[0]} did not end within {seconds:.0f} s on the VM") from None
        except BaseException:  # the job is interrupted
            _end(process, patience=0 if arguments[0] == PULL else _PATIENCE)
            raise
        return Finished(process.returncode, _text(stdout), _text(stderr))

    def expect(self, *arguments: str, seconds: float = CALL_SECONDS, folder: Path | None = None) -> str:
        """The output of a call that must succeed; raises :class:`EngineError` with what it said."""
        ended = self.call(*arguments, seconds=seconds, folder=folder)
        if ended.status != 0:
            raise EngineError(f"podman {arguments[0]} failed on the VM: {ended.said}")
        return ended.stdout

    def ensure_image(self, image: str, *, seconds: float = PULL_SECONDS) -> None:
        """Bring an image, named by digest, onto the VM; raises :class:`ImageError` when the registry refuses."""
        if self._has_image(image):
            return
        host = image.partition("/")[0]
        ended = self.call(PULL, "--quiet", *self._authfile(), image, seconds=seconds)
        if ended.status == 0 and self._has_image(image):
            return
        said = ended.stderr.lower()
        if any(words in said for words in ("manifest unknown", "name unknown", "not found")):
            raise ImageError(f"registry {host} has no image {image}; make it again (edgetrain dependency-image)")
        if any(words in said for words in ("unauthorized", "authentication required", "invalid username", "denied")):
            raise ImageError(f"registry {host} refuses the VM's pull-only credentials; run edgetrain prepare-vm again")
        raise ImageError(f"image {image} cannot be pulled onto the VM: {ended.said}")

    def state_of(self, container: str) -> dict[str, Any] | None:
        """What the engine knows of a container (its ``State``); None when there is none."""
        ended = self.call("container", "inspect", "--format", "{{json .State}}", container)
        if ended.status != 0:
            if any(words in ended.stderr.lower() for words in _MISSING):
                return None
            raise EngineError(f"podman inspect failed on the VM: {ended.said}")
        try:
            found = json.loads(ended.stdout)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EngineError("podman inspect answered something else than a state")
        return found

    def remove(self, container: str) -> None:
        """Kill and remove a container, and make sure that it is gone; raises :class:`EngineError` if it is not."""
        said = ""
        for _ in range(_REMOVALS):
            said = self.call("rm", "--force", "--time", "0", "--volumes", container).said
            if self.state_of(container) is None:
                return
        raise EngineError(f"container {container} cannot be removed from the VM: {said}")

    def containers(self, run_id: str = "") -> dict[str, str]:
        """Name -> run id of this installation's containers in any state; those of one run, if it is named.

        Of a run that is named also what podman was killed over while it made it: such a container has its name and its
        files already, and no labels yet.
        """
        filters = [f"label={STATE_LABEL}={self.state}", *([f"label={RUN_LABEL}={run_id}"] if run_id else [])]
        wanted = [part for each in filters for part in ("--filter", each)]
        form = f'{{{{.Names}}}}\t{{{{index .Labels "{RUN_LABEL}"}}}}'
        listing = self.expect("ps", "--all", *wanted, "--format", form)
        found = dict(line.split("\t", 1) for line in listing.splitlines() if "\t" in line)
        return self._half_made(run_id) | found if run_id else found

    def _half_made(self, run_id: str) -> dict[str, str]:
        every = self.expect("ps", "--all", "--external", "--format", "{{.Names}}\t{{.Status}}")
        lines = (line.split("\t", 1) for line in every.splitlines() if "\t" in line)
        return {name: run_id for name, status in lines if status.lower() == _HALF_MADE and is_of(name, run_id)}

    def labels(self) -> list[str]:
        """Arguments that mark a new container as one of this run."""
        return ["--label", f"{RUN_LABEL}={self.run_id}", "--label", f"{STATE_LABEL}={self.state}"]

    def inside(self) -> list[str]:
        """What goes before a command that must see files and namespaces as a rootless engine's containers do."""
        return [self.program, "unshare"] if self.rootless else []

    @property
    def rootless(self) -> bool:
        """Whether the engine's containers live in a user namespace of the job's user."""
        return os.geteuid() != 0

    def _has_image(self, image: str) -> bool:
        return self.call("image", "inspect", "--format", "{{.Id}}", image).status == 0

    def _authfile(self) -> list[str]:
        return [] if self.authfile is None else ["--authfile", str(self.authfile)]


def calls_under_way(run_id: str) -> dict[int, bool]:
    """Process id -> whether it only pulls, of calls of the engine that were made for a run and have not ended."""
    marker = f"{RUN_VARIABLE}={run_id}".encode()
    found: dict[int, bool] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].rpartition(b"/")[2] == b"podman" and marker in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = PULL.encode() in words
    return found


def _end(process: "subprocess.Popen[bytes]", *, patience: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=patience)
    process.kill()
    process.communicate()


def _text(output: bytes) -> str:
    return output[: 4 * 1024 * 1024].decode("utf-8", "replace")


def resource_name(run_id: str, role: str) -> str:
    """The name of a run's container: an engine has one of that name, so a run never has two of a role."""
    return f"edgetrain-job-{re.sub(r'[^a-zA-Z0-9_.-]', '-', run_id)}-{role}"


def is_of(name: str, run_id: str) -> bool:
    """Whether a container has a name that :func:`resource_name` gives to one of the run."""
    prefix = resource_name(run_id, "")
    return name.startswith(prefix) and name.removeprefix(prefix).isalnum()
