"""Containers of revisions: podman (or docker) with a storage of its own."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from local_stack.stack_hub.engine import Engine

_PULL_SECONDS: Final = 600
_KILLED: Final = 137
_DOCKER_EXIT: Final = '{{index .Actor.Attributes "exitCode"}}'


class PullError(Exception):
    """The image cannot be had; the message is the registry's."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a container is. ``exit_code``: of its last end, None when it never ended."""

    container_id: str
    running: bool
    restarts: int
    exit_code: int | None

    @property
    def last_words(self) -> str:
        """How it ended, in the service's words as far as they are known."""
        if self.exit_code is None:
            return ""
        reason = "OOMKilled" if self.exit_code == _KILLED else "ProcessExited"
        return f"Container was terminated with exit code '{self.exit_code}' and reason '{reason}'"


class Containers:
    """Pulls, runs, inspects and removes."""

    def __init__(self, engine: Engine, environment: Mapping[str, str]) -> None:
        self._program = engine.name
        self._environment = {**environment, **engine.environment}

    def pull(self, image: str, login: tuple[str, str] | None) -> None:
        """Bring an image here, unless it is here. Raises :class:`PullError`."""
        if self._run("image", "inspect", image).returncode == 0:
            return
        with TemporaryDirectory(prefix="edgetrain-pull-") as folder:
            file = Path(folder) / "config.json"
            file.write_text("{}", encoding="utf-8")
            where = {**self._environment, "REGISTRY_AUTH_FILE": str(file), "DOCKER_CONFIG": folder}
            if login is not None:
                registry = image.split("/", 1)[0]
                entered = self._run(
                    *("login", "--username", login[0], "--password-stdin", registry), stdin=login[1], environment=where
                )
                if entered.returncode:
                    raise PullError("UNAUTHORIZED: authentication required")
            pulled = self._run("pull", "--quiet", image, environment=where, seconds=_PULL_SECONDS)
        if pulled.returncode:
            raise PullError(" ".join(pulled.stderr.split())[-300:])

    def start(
        self,
        name: str,
        image: str,
        *,
        port: int,
        target_port: int,
        limits: tuple[float, float],
        env: Mapping[str, str],
        mounts: Mapping[str, Path],
    ) -> None:
        """Run a container; ``limits`` in cores and GiB, ``mounts``: folders by where they are seen, read only.

        It comes back by itself when it dies. Raises OSError.
        """
        cpu, memory = limits
        started = self._run(
            *("run", "--detach", "--name", name, "--pull", "never", "--restart", "always", "--stop-timeout", "5"),
            *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--user", "10001:10001"),
            *("--memory", f"{int(memory * 1024)}m", "--cpus", str(min(cpu, _cores())), "--pids-limit", "200"),
            *("--publish", f"127.0.0.1:{port}:{target_port}"),
            *(word for place, folder in mounts.items() for word in ("--volume", f"{folder}:{place}:ro")),
            *(word for key, value in env.items() for word in ("--env", f"{key}={value}")),
            image,
        )
        if started.returncode:
            raise OSError(" ".join(started.stderr.split())[-300:])

    def condition(self, name: str) -> Condition | None:
        """How a container is; None when there is none."""
        found = self._run("container", "inspect", name)
        if found.returncode:
            return None
        container: dict[str, Any] = json.loads(found.stdout)[0]
        state = container["State"]
        running, restarts = state["Status"] == "running", int(container.get("RestartCount") or 0)
        ended = int(state["ExitCode"]) if not running else self._last_exit(name) if restarts else None
        return Condition(container["Id"], running, restarts, ended)

    def _last_exit(self, name: str) -> int | None:
        # An engine forgets an exit code when it starts the container again; its events keep it.
        podman = self._program == "podman"
        end, died = ("--stream=false", "died") if podman else (f"--until={int(time.time())}", "die")
        field = "{{.ContainerExitCode}}" if podman else _DOCKER_EXIT
        filters = ("--filter", f"container={name}", "--filter", f"event={died}")
        events = self._run("events", end, "--since", "1h", *filters, "--format", field)
        last = events.stdout.strip().rsplit("\n", 1)[-1]
        return int(last) if last.isdigit() else None

    def log(self, name: str, lines: int) -> str:
        """The end of what a container wrote."""
        result = self._run("logs", "--tail", str(lines), name)
        return result.stdout + result.stderr

    def remove(self, name: str) -> None:
        """Stop and remove a container; no matter if there is none."""
        self._run("rm", "--force", name)

    def _run(
        self,
        *arguments: str,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which(self._program) or self._program, *arguments],
            env=environment or self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )


def _cores() -> float:
    return float(os.cpu_count() or 1)
