"""Commands against a real server that answers what a test says; nothing of the machine's own configuration is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.operating import following
from tests.support.answering import Answering, answering

KEY = "a-function-key"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answering]:
    """The server, which commands find by EDGETRAIN_URL; the folder and the home are empty."""
    for name in ("EDGETRAIN_PROFILE", "HUB_STORAGE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    with answering() as server:
        for name, value in {
            "EDGETRAIN_URL": server.url,
            "EDGETRAIN_KEY": KEY,
            "HOME": str(tmp_path),
            "TZ": "UTC",
            "COLUMNS": "200",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(following, "PACE", following.Pace(first=0.01, most=0.05))
        monkeypatch.chdir(tmp_path)
        yield server


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def edgetrain(*arguments: str, given: str | None = None) -> Ended:
    """Run a command in this process; its input is no terminal."""
    result = CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)
    return Ended(result.exit_code, result.stdout, result.stderr)
