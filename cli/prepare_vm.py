"""Prepare VMs for pipelines over SSH: the Python environment to train in, the slot to serve from. Safe to repeat.

    python -m cli.prepare_vm --pipeline NAME [--pipeline NAME ...] | --all
                             [--only compute|serving]

Which VMs, and how they are reached, the app's settings say (EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__...). A compute
VM needs Python 3.11 with venv and a package index in reach. A serving VM needs podman or docker, Python 3, and HAProxy
with a configuration that reads ~/serving/conf.d/*.cfg, an admin socket at ~/serving/haproxy.sock, and a command
~/bin/reload-haproxy that checks and reloads it.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from cli.terminal import progress, run_tool
from cli.vm_environment import ensure_environment
from cli.vm_slot import ensure_slot
from shared.clients.ssh import connected
from shared.errors import Code, PermanentError
from shared.job_folders import JobFolders
from shared.pipelines import Pipeline, Pipelines
from shared.settings import Settings, settings

Say = Callable[[str], None]


def prepare(
    pipelines: Iterable[Pipeline], settings: Settings, *, compute: bool = True, serving: bool = True, say: Say
) -> None:
    """Prepare every VM that the pipelines name; raises :class:`shared.errors.EdgetrainError` at the first trouble."""
    for pipeline in pipelines:
        if compute:
            _prepare_compute(pipeline, settings, say)
        if serving:
            _prepare_serving(pipeline, settings, say)


def _prepare_compute(pipeline: Pipeline, settings: Settings, say: Say) -> None:
    compute = settings.compute(pipeline.train.compute)
    job = JobFolders(settings.app_root).read(pipeline.train.folder)
    with connected(compute) as session:
        ensure_environment(session, folder=compute.environments, key=job.environment, locks=job.training_locks, say=say)


def _prepare_serving(pipeline: Pipeline, settings: Settings, say: Say) -> None:
    for target in pipeline.deliver.targets:
        with connected(settings.target(target.name)) as session:
            ensure_slot(session, pipeline.name, say=say)


def _chosen(folder: Path, names: list[str]) -> list[Pipeline]:
    known = Pipelines(folder)
    if names:
        return [known.get(name) for name in names]
    if known.broken:
        raise PermanentError("; ".join(known.broken.values()), code=Code.BAD_PIPELINE)
    return list(known.all)


def _main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m cli.prepare_vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pipeline", action="append", default=[], help="name of a pipeline; may be given again")
    which.add_argument("--all", action="store_true", help="every pipeline")
    parser.add_argument("--only", choices=["compute", "serving"], help="one of the two parts (default: both)")
    options = parser.parse_args(arguments)
    current = settings()
    say = progress()
    prepare(
        _chosen(current.app_root / "pipelines", options.pipeline),
        current,
        compute=options.only != "serving",
        serving=options.only != "compute",
        say=say,
    )
    say("prepared")


if __name__ == "__main__":
    run_tool(_main)
