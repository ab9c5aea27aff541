"""A copy of the infrastructure, into which mistakes are planted."""

import shutil
from pathlib import Path

import pytest

from infra.checks.__main__ import INFRA, findings
from infra.checks.findings import Finding


class Planted:
    """The copy: change a file, then look what is found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} any more"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        """A new file."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def found(self) -> list[Finding]:
        """Everything that is found in the copy."""
        return list(findings(self.folder))


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    folder = tmp_path / "infra"
    shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns("checks", "vm", "*.py", "__pycache__"))
    return Planted(folder)
