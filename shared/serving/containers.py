"""The container of a candidate: its name, how it is run, and what an engine says of it.

The same words for podman and docker, whose command lines agree on everything used here.
"""

import json
from dataclasses import dataclass
from typing import Any

from shared.messages import Rollout
from shared.serving.slots import Colour
from shared.training_code.scoring_images import MODEL_ROOT, SCORING_PORT

SMOKE_PATH = f"{MODEL_ROOT}/smoke.json"
PIPELINE_LABEL = "edgetrain.pipeline"
RUN_LABEL = "edgetrain.run-id"
IMAGE_LABEL = "edgetrain.image"

_WORKERS = 2
_THREADS = 2
AT_A_TIME = _WORKERS * _THREADS
"""Requests that a container works on at the same time; each may need many times the memory of its body."""
_SERVER = {"WORKER_COUNT": str(_WORKERS), "GUNICORN_CMD_ARGS": f"--threads {_THREADS}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What to run, and within which limits. ``port`` is published on the VM's loopback only."""

    name: str
    image: str
    port: int
    labels: dict[str, str]
    memory: str = "512m"  # the target's settings decide; see the settings of kind vm
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

    @property
    def alive(self) -> bool:
        """Whether it runs, and has done so since it was started."""
        return self.status == "running" and self.restarts == 0

    def belongs_to(self, rollout: Rollout) -> bool:
        """Whether it was started for this image of this run."""
        return self.labels.get(RUN_LABEL) == rollout.run_id and self.labels.get(IMAGE_LABEL) == rollout.image


def container_name(pipeline: str, colour: Colour) -> str:
    """The name of the container that holds a colour of a pipeline."""
    return f"edgetrain-{pipeline}-{colour}"


def spec_for(rollout: Rollout, *, colour: Colour, port: int) -> ContainerSpec:
    """The container of a roll-out's candidate."""
    return ContainerSpec(
        name=container_name(rollout.pipeline, colour),
        image=rollout.image,
        port=port,
        labels={PIPELINE_LABEL: rollout.pipeline, RUN_LABEL: rollout.run_id, IMAGE_LABEL: rollout.image},
    )


def run_arguments(spec: ContainerSpec) -> list[str]:
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
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not the output of container inspect: {error!r}") from error
