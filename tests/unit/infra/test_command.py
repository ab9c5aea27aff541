"""``python -m infra.checks``: what it says, and its exit status."""

from pathlib import Path
from typing import Any

import pytest

from infra.checks import __main__ as command
from infra.checks import policy
from infra.checks.findings import Finding
from infra.checks.tools import Tool, ToolMissingError


def without_checkov(*_: Any) -> Any:
    raise ToolMissingError("checkov could not be installed: no route; is the package index reachable?")


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "findings", lambda *_: iter(()))
    monkeypatch.setattr(command, "seen_by_checkov", lambda *_: set())
    monkeypatch.setattr(policy, "report_on", without_checkov)


@pytest.mark.parametrize(("variable", "status"), [("", 0), ("true", 1)])
def test_where_checkov_cannot_be_had_that_is_said_and_fails_in_ci_only(
    variable: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", variable)

    assert command.main() == status
    assert "policy was not checked: checkov could not be installed" in capsys.readouterr().err


def test_findings_are_listed_and_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CI", raising=False)
    rows = [Finding("b.bicep", "is wrong"), Finding("a.bicep", "is wrong too")]
    monkeypatch.setattr(command, "findings", lambda *_: iter(rows))

    assert command.main() == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        "a.bicep: is wrong too",
        "b.bicep: is wrong",
        "infra: 2 findings",
    ]


def test_a_report_is_asked_for_anew_when_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: list[Path] = []
    monkeypatch.setattr(Tool, "program", lambda _: Path("checkov"))

    def ask(_: Path, folder: Path) -> dict[str, Any]:
        asked.append(folder)
        return {"failed": [], "seen": [str(len(asked))]}

    monkeypatch.setattr(policy, "_ask", ask)
    folder, cache = tmp_path / "infra", tmp_path / "cache"
    folder.mkdir()
    cache.mkdir()
    (folder / "main.bicep").write_text("param a string", encoding="utf-8")

    first, again = policy.report_on(folder, cache), policy.report_on(folder, cache)
    (folder / "main.bicep").write_text("param b string", encoding="utf-8")
    changed = policy.report_on(folder, cache)

    assert (first["seen"], again["seen"], changed["seen"]) == (["1"], ["1"], ["2"])
    assert len(list(cache.iterdir())) == 1
