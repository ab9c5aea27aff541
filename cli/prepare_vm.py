"""Prepare VMs for pipelines over SSH: the Python environment to train in, the slot to serve from. Safe to repeat.

    python -m cli.prepare_vm --pipeline NAME [--pipeline NAME ...] | --all
                             [--only compute|serving]

Which VMs, and how they are reached, the app's settings say (EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__...). A compute
VM needs Python 3.11 with venv and a package index in reach. A serving VM needs podman or docker, Python 3, and HAProxy
with a configuration that reads ~/serving/conf.d/*.cfg, an admin socket at ~/serving/haproxy.sock, and a command
~/bin/reload-haproxy that checks and reloads it.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from cli.terminal import progress, run_tool
from cli.vm_environment import ensure_environment
from cli.vm_slot import ensure_slot
from shared.clients.ssh import connected
from shared.errors import Code, EdgetrainError, PermanentError
from shared.job_folders import JobFolders
from shared.pipelines import Pipeline, Pipelines
from shared.settings import Settings, settings

Say = Callable[[str], None]


def prepare(
    pipelines: Iterable[Pipeline],
    settings: Settings,
    *,
    compute: bool = True,
    serving: bool = True,
    say: Say,
    broken: Mapping[str, EdgetrainError] = MappingProxyType({}),
) -> None:
    """Prepare every VM that the pipelines name. One that cannot be prepared stops none of the others.

    ``broken``: what is wrong with pipelines that cannot be had at all. Raises :class:`shared.errors.PermanentError` at
    the end, which names each that is not prepared, with the reason.
    """
    failed = dict(broken)
    for pipeline in pipelines:
        try:
            if compute:
                _prepare_compute(pipeline, settings, say)
            if serving:
                _prepare_serving(pipeline, settings, say)
        except EdgetrainError as error:
            failed[pipeline.name] = error
    if failed:
        each = [f"pipeline {name} is not prepared: {error}" for name, error in failed.items()]
        raise PermanentError("\nerror: ".join(each), code=Code.BAD_PIPELINE)


def _prepare_compute(pipeline: Pipeline, settings: Settings, say: Say) -> None:
    compute = settings.compute(pipeline.train.compute)
    job = JobFolders(settings.app_root).read(pipeline.train.folder)
    with connected(compute) as session:
        ensure_environment(session, folder=compute.environments, key=job.environment, locks=job.training_locks, say=say)


def _prepare_serving(pipeline: Pipeline, settings: Settings, say: Say) -> None:
    for target in pipeline.deliver.targets:
        with connected(settings.target(target.name)) as session:
            ensure_slot(session, pipeline.name, say=say)


def _chosen(folder: Path, names: list[str]) -> tuple[list[Pipeline], dict[str, EdgetrainError]]:
    """The pipelines of these names, or all of them; and those that cannot be had, with the reason."""
    known = Pipelines(folder)
    chosen: list[Pipeline] = []
    broken: dict[str, EdgetrainError] = {}
    for name in names or [*(each.name for each in known.all), *known.broken]:
        try:
            chosen.append(known.get(name))
        except PermanentError as error:
            broken[name] = error
    return chosen, broken


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
    pipelines, broken = _chosen(current.app_root / "pipelines", options.pipeline)
    prepare(
        pipelines,
        current,
        compute=options.only != "serving",
        serving=options.only != "compute",
        say=say,
        broken=broken,
    )
    say("prepared")


if __name__ == "__main__":
    run_tool(_main)
