"""Prepare VMs for pipelines over SSH: the job that trains, the slot to serve from. Safe to repeat.

Which VMs, and how they are reached, the app's settings say (EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__...). A compute
VM needs podman, Python 3.11 with venv and a package index in reach; what a serving VM needs is in docs/serving-vm.md.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from pydantic import ValidationError, model_validator

from cli.job_installation import JobSource, Registry, install_job, job_source
from cli.vm_slot import ensure_slot
from shared.clients.registry_address import registry_host
from shared.clients.serving_targets import settings_of
from shared.clients.ssh import connected
from shared.clients.vm_reboot import tell_what_a_reboot_takes
from shared.errors import Code, EdgetrainError, PermanentError
from shared.pipelines import Pipeline, Pipelines
from shared.settings import Compute, Settings

Say = Callable[[str], None]

_ROOT = Path(__file__).resolve().parent.parent


class _VmSettings(Settings):
    """The app's settings; the host's storage is not asked here, and need not be named."""

    @model_validator(mode="after")
    def _has_host_storage(self) -> Self:
        return self


def vm_settings() -> Settings:
    """The settings of the environment; raises :class:`PermanentError` naming what is missing, and no value."""
    try:
        return _VmSettings()
    except ValidationError as error:
        fields = sorted({"__".join(map(str, each["loc"])).upper() for each in error.errors()})
        named = ", ".join(f"EDGETRAIN_{field}" for field in fields)
        reason = f"the settings in this shell lack, or have wrongly: {named}; set them as in the app settings"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


class NotPreparedError(EdgetrainError):
    """Some pipelines could not be prepared; one line each, with the reason."""


def prepare(
    pipelines: Iterable[Pipeline],
    settings: Settings,
    *,
    compute: bool = True,
    serving: bool = True,
    say: Say,
    source: JobSource | None = None,
    broken: Mapping[str, EdgetrainError] = MappingProxyType({}),
) -> None:
    """Prepare every VM that the pipelines name. A failure of one does not stop the others.

    ``source``: the job to install, by default that of this repository. ``broken``: the reasons for pipelines that
    cannot be read. Raises :class:`NotPreparedError` at the end.
    """
    failed = dict(broken)
    done: set[str] = set()
    told: set[str] = set()
    for pipeline in pipelines:
        try:
            if compute and pipeline.train.compute not in done:
                _prepare_compute(pipeline.train.compute, settings, source or job_source(_ROOT), say)
                done.add(pipeline.train.compute)
            if serving:
                _prepare_serving(pipeline, settings, say, told)
        except EdgetrainError as error:
            failed[pipeline.name] = error
    if failed:
        each = [f"pipeline {name} is not prepared: {error}" for name, error in failed.items()]
        raise NotPreparedError("\n".join(each))


def _prepare_compute(name: str, settings: Settings, source: JobSource, say: Say) -> None:
    compute = settings.compute(name)
    with connected(compute) as session:
        install_job(session, source, registries=_registries(compute, settings), say=say)


def _registries(compute: Compute, settings: Settings) -> tuple[Registry, ...]:
    """Where the VM pulls images, as the user that may not push; none when the settings name no user for it."""
    if not compute.pull_username:
        return ()
    host = registry_host(settings.container_registry.url)
    return (Registry(host=host, username=compute.pull_username, password=compute.pull_password.get_secret_value()),)


def _prepare_serving(pipeline: Pipeline, settings: Settings, say: Say, told: set[str]) -> None:
    """``told``: targets of which it was said already what they miss."""
    for target in pipeline.deliver.targets:
        found = settings.target(target.name)
        if found.kind != "vm":
            continue  # there is no machine to prepare
        with connected(settings_of(target.name, found)) as session:
            ensure_slot(session, pipeline.name, say=say)
            if target.name not in told:
                tell_what_a_reboot_takes(session, say=say)
                told.add(target.name)


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
    current = vm_settings()
    pipelines, broken = _chosen(current.app_root / "pipelines", names)
    prepare(pipelines, current, compute=compute, serving=serving, say=say, broken=broken)
    say("prepared")
