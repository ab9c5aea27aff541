"""The container of a candidate: its name, how it is run, and what an engine says of it.

The same words for podman and docker, whose command lines agree on everything used here.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.messages import PlannedRelease, ServingResources
from shared.serving.slots import Colour
from shared.training_code.scoring_images import MODEL_ROOT, SCORING_PORT

SMOKE_PATH = f"{MODEL_ROOT}/smoke.json"
PIPELINE_LABEL = "edgetrain.pipeline"
RUN_LABEL = "edgetrain.run-id"
IMAGE_LABEL = "edgetrain.image"
RESOURCES_LABEL = "edgetrain.resources"
LOG_LIMIT = "10m"
"""What an engine keeps of a container's log; older lines go."""

_WORKERS = 2
_THREADS = 2
AT_A_TIME = _WORKERS * _THREADS
"""Requests that a container works on at the same time; each may need many times the memory of its body."""
_SERVER = {"WORKER_COUNT": str(_WORKERS), "GUNICORN_CMD_ARGS": f"--threads {_THREADS}"}


_STOPPED = frozenset({0, 137, 143})  # exit codes of what was asked to end, and did so or was killed for not doing so


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What to run, and within which limits. ``port`` is published on the VM's loopback only.

    ``network``: the container's own (:mod:`shared.clients.vm_networks`); empty: the engine's usual one. ``cpus``: 0 for
    no limit.
    """

    name: str
    image: str
    port: int
    labels: dict[str, str]
    memory: str = "512m"
    cpus: float = 0.0
    network: str = ""
    processes: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What an engine says of a container. ``restarts`` counts how often it came back after dying by itself.

    ``memory``: bytes it may use, 0 for no limit.
    """

    status: str
    exit_code: int
    restarts: int
    labels: dict[str, str]
    memory: int = 0
    oom_killed: bool = False
    id: str = ""
    started_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs, and has done so since it was started."""
        return self.status == "running" and self.restarts == 0

    @property
    def died(self) -> bool:
        """Whether it ended by itself, and not because the engine, or the machine, was stopped."""
        ended = self.status != "running" and self.exit_code not in _STOPPED
        return ended or self.oom_killed or self.restarts > 0

    def holds(self, release: PlannedRelease) -> bool:
        """Whether it is this release. One that an older app started says nothing of its resources, and may stay."""
        resources = self.labels.get(RESOURCES_LABEL, _said(release.resources))
        named = (self.labels.get(RUN_LABEL), self.labels.get(IMAGE_LABEL))
        return (*named, resources) == (release.run_id, release.image, _said(release.resources))

    @property
    def life(self) -> str:
        """Names one life of the container: another one begins with every start."""
        started = self.started_at.isoformat() if self.started_at is not None else ""
        return f"{self.id[:12]} {self.restarts} {started}"


def container_name(pipeline: str, colour: Colour) -> str:
    """The name of the container that holds a colour of a pipeline."""
    return f"edgetrain-{pipeline}-{colour}"


def container_of(pipeline: str, release: PlannedRelease, *, colour: Colour, port: int, network: str) -> ContainerSpec:
    """The container of a planned release."""
    labels = {PIPELINE_LABEL: pipeline, RUN_LABEL: release.run_id, IMAGE_LABEL: release.image}
    return ContainerSpec(
        name=container_name(pipeline, colour),
        image=release.image,
        port=port,
        labels={**labels, RESOURCES_LABEL: _said(release.resources)},
        memory=release.resources.memory,
        cpus=release.resources.cpus,
        network=network,
    )


def _said(resources: ServingResources) -> str:
    return f"{resources.memory} {resources.cpus:g}"


def run_arguments(spec: ContainerSpec, *, engine: str = "podman") -> list[str]:
    """The engine's arguments: read-only, without capabilities, non-root, limited, reachable from loopback only.

    It restarts by itself, also after a reboot, because the release it may become has to; a candidate that dies is
    told by its restart count.
    """
    labels = [argument for key, value in sorted(spec.labels.items()) for argument in ("--label", f"{key}={value}")]
    return [
        *("run", "--detach", "--name", spec.name, "--pull", "never", "--restart", "always", "--stop-timeout", "5"),
        *("--read-only", "--tmpfs", "/tmp:rw,size=64m,mode=1777"),  # noqa: S108 - a path in the container
        *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--user", "10001:10001"),
        *("--memory", spec.memory, "--pids-limit", str(spec.processes)),
        *(("--cpus", f"{spec.cpus:g}") if spec.cpus else ()),
        *("--log-driver", "k8s-file" if engine == "podman" else "json-file", "--log-opt", f"max-size={LOG_LIMIT}"),
        *(("--network", spec.network) if spec.network else ()),
        *("--publish", f"127.0.0.1:{spec.port}:{SCORING_PORT}"),
        *(word for key, value in _SERVER.items() for word in ("--env", f"{key}={value}")),
        *labels,
        spec.image,
    ]


def parse_inspect(text: str) -> Container:
    """The container in the output of ``container inspect``; raises ``ValueError`` when it is none."""
    try:
        found: dict[str, Any] = json.loads(text)[0]
        state = found["State"]
        return Container(
            status=str(state["Status"]).lower(),
            exit_code=int(state["ExitCode"]),
            restarts=int(found.get("RestartCount") or 0),
            labels=dict(found["Config"].get("Labels") or {}),
            memory=int((found.get("HostConfig") or {}).get("Memory") or 0),
            oom_killed=bool(state.get("OOMKilled")),
            id=str(found.get("Id") or ""),
            started_at=_time(str(state.get("StartedAt") or "")),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not the output of container inspect: {error!r}") from error


_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)? ?(Z|[+-]\d\d:?\d\d)?")


def _time(text: str) -> datetime | None:
    """An engine's time, which may have nine digits after the point; None for none, and for the year 1 of "never"."""
    found = _TIME.match(text)
    if found is None or text.startswith("0001"):
        return None
    day, clock, fraction, zone = found.groups()
    offset = "+00:00" if zone in {None, "Z"} else zone
    try:
        return datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
