"""What most services of the stack are started with."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from local_stack.files import private_folder
from local_stack.supervisor.blueprint import Blueprint
from local_stack.supervisor.environment import service_environment


def module(name: str, *arguments: str) -> list[str]:
    """The command of a program of ours."""
    return [sys.executable, "-m", name, *arguments]


def environment(plan: Blueprint, service: str, extra: Mapping[str, str] | None = None) -> Callable[[], dict[str, str]]:
    """The environment of a service whose home lies in this folder of the state."""
    home = private_folder(plan.layout.folder(service) / "home")
    return lambda: {**service_environment(home), **(extra or {})}


def forget_endpoints(folder: Path) -> None:
    """Before a service starts that writes them at every start: a file of an earlier one must not pass for it."""
    (folder / "endpoints.json").unlink(missing_ok=True)
