"""Prepare VMs for pipelines over SSH: the Python environment to train in, the slot to serve from. Safe to repeat.

Which VMs, and how they are reached, the app's settings say (EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__...). A compute
VM needs Python 3.11 with venv and a package index in reach; what a serving VM needs is in docs/serving-vm.md.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from cli.vm_environment import ensure_environment
from cli.vm_slot import ensure_slot
from shared.clients.ssh import connected
from shared.errors import EdgetrainError, PermanentError
from shared.pipelines import Pipeline, Pipelines
from shared.settings import Settings, settings
from shared.training_code.job_folders import JobFolders

Say = Callable[[str], None]


class NotPreparedError(EdgetrainError):
    """Some pipelines could not be prepared; one line each, with the reason."""


def prepare(
    pipelines: Iterable[Pipeline],
    settings: Settings,
    *,
    compute: bool = True,
    serving: bool = True,
    say: Say,
    broken: Mapping[str, EdgetrainError] = MappingProxyType({}),
) -> None:
    """Prepare every VM that the pipelines name. A failure of one does not stop the others.

    ``broken``: the reasons for pipelines that cannot be read. Raises :class:`NotPreparedError` at the end.
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
        raise NotPreparedError("\n".join(each))


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
    """The pipelines of these names, or all; and those that cannot be read, with the reason."""
    known = Pipelines(folder)
    chosen: list[Pipeline] = []
    broken: dict[str, EdgetrainError] = {}
    for name in names or [*(each.name for each in known.all), *known.broken]:
        try:
            chosen.append(known.get(name))
        except PermanentError as error:
            broken[name] = error
    return chosen, broken


def prepare_chosen(names: list[str], *, compute: bool, serving: bool, say: Say) -> None:
    """Prepare the VMs of the named pipelines of the app's settings, or of all; raises as :func:`prepare` does."""
    current = settings()
    pipelines, broken = _chosen(current.app_root / "pipelines", names)
    prepare(pipelines, current, compute=compute, serving=serving, say=say, broken=broken)
    say("prepared")
