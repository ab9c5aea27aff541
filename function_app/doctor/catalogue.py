"""Every check there is, by the module that has it.

A new check is a :class:`shared.doctor.Check` in the ``CHECKS`` of a module here, or in what its ``checks()`` makes
where checks share what they look at. Modules are imported when a doctor is asked for, so that a cold start does not
wait for them.
"""

from importlib import import_module
from typing import Final

from function_app.composition import Services
from shared.doctor import Check

MODULES: Final = (
    "settings",
    "access",
    "pipelines",
    "endpoints",
    "host_storage",
    "messages",
    "arrivals",
    "azure_ml",
    "orphans",
    "hub",
    "compute",
    "targets",
    "registry",
    "images",
)
"""Modules of this package, in the order of the report. Each has ``CHECKS``, a tuple, or ``checks``, which makes one."""


def every_check(only: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """All checks, in the order of the report, for one examination.

    ``only``: the pipelines that sites and VMs are looked at for; None for all.
    """
    return tuple(check for name in MODULES for check in checks_of(name, only))


def checks_of(name: str, only: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks of one module, for one examination."""
    module = import_module(f"function_app.doctor.{name}")
    found: tuple[Check[Services], ...] = module.checks(only) if hasattr(module, "checks") else module.CHECKS
    return found
