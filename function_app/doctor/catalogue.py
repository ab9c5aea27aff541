"""Every check there is, by the module that has it.

A new check is a :class:`shared.doctor.Check` in the ``CHECKS`` of a module here. Modules are imported when a doctor is
asked for, so that a cold start does not wait for them.
"""

from importlib import import_module
from typing import Final

from function_app.composition import Services
from shared.doctor import Check

MODULES: Final = (
    "settings",
    "pipelines",
)
"""Modules of this package, in the order of the report. Each has ``CHECKS``, a tuple."""


def every_check() -> tuple[Check[Services], ...]:
    """All checks, in the order of the report."""
    return tuple(check for name in MODULES for check in import_module(f"function_app.doctor.{name}").CHECKS)
