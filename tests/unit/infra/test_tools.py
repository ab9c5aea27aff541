"""Programs with an environment of their own: installed once, by uv or else by pip; named when they cannot be had."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.checks import tools
from infra.checks.tools import Tool, ToolMissingError

FAILED = 1


class Commands:
    """Runs nothing: notes what would be run, and answers as told; ``made``: what an installation leaves."""

    def __init__(self, failing: tuple[str, ...] = (), *, makes: bool = True) -> None:
        self.run_so_far: list[str] = []
        self._failing, self._makes = failing, makes

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        kind = "uv" if command[0].endswith("/uv") else "pip" if "pip" in command else "venv"
        self.run_so_far.append(kind)
        if kind in self._failing:
            return subprocess.CompletedProcess(command, FAILED, "", "no route\n to host")
        if kind == "venv":
            (Path(command[-1]) / "bin").mkdir(parents=True)
        elif self._makes:
            python = Path(command[command.index("--python") + 1] if kind == "uv" else command[0])
            (python.parent / "checkov").touch()
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tools, "CACHE", tmp_path / "tools")
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    return tmp_path / "tools"


@pytest.mark.parametrize(
    ("failing", "ran"), [((), ["venv", "uv"]), (("uv",), ["venv", "uv", "pip"])], ids=["uv", "pip-where-uv-cannot"]
)
def test_it_is_installed_once(
    failing: tuple[str, ...], ran: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(failing)
    monkeypatch.setattr(subprocess, "run", commands.run)

    places = {Tool("checkov").program(), Tool("checkov").program()}

    assert commands.run_so_far == ran
    assert places == {cache / f"checkov-{Tool('checkov').digest}" / "bin" / "checkov"}


def test_what_cannot_be_installed_is_named_with_the_cause_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Commands(("uv", "pip")).run)

    with pytest.raises(ToolMissingError, match=r"checkov could not be installed: no route to host; is the package"):
        Tool("checkov").program()

    monkeypatch.setattr(subprocess, "run", Commands().run)
    assert Tool("checkov").program().exists()


def test_a_lock_that_installs_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Commands(makes=False).run)

    with pytest.raises(ToolMissingError, match="checkov is not in what its lock installs"):
        Tool("checkov").program()
