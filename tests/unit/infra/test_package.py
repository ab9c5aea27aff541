"""What is deployed as the app is what the app needs."""

from pathlib import Path

import pytest

from infra.checks.package import MOST_BYTES, check, package
from infra.checks.tools import ROOT

RULES = "tests/\n*.md\ndocs/\n.git*\n"


def project(folder: Path, rules: str = RULES) -> list[str]:
    files = [
        "function_app.py",
        "host.json",
        "requirements.txt",
        "pipelines/a.yaml",
        "training/common/a.py",
        "README.md",
    ]
    files += ["orchestrations/a.py", "shared/a.py", "tests/unit/a.py", ".github/a.yml"]
    for each in files:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_text("x --hash=sha256:0\n", encoding="utf-8")
    (folder / ".funcignore").write_text(rules, encoding="utf-8")
    return files


def test_the_package_is_what_the_app_needs() -> None:
    assert list(check(ROOT)) == []


def test_rules_hide_folders_endings_and_names(tmp_path: Path) -> None:
    packed = package(tmp_path, project(tmp_path))

    assert not {"README.md", "tests/unit/a.py", ".github/a.yml"} & set(packed)
    assert "pipelines/a.yaml" in packed


def test_what_is_missing_too_much_or_too_large_is_named(tmp_path: Path) -> None:
    files = project(tmp_path, "pipelines/\n")
    (tmp_path / "shared" / "a.py").write_bytes(b"0" * (MOST_BYTES + 1))
    (tmp_path / "requirements.txt").write_text("x\n", encoding="utf-8")

    texts = [str(each) for each in check(tmp_path, files)]

    assert ".funcignore: pipelines/ is not in the package, and the app needs it" in texts
    assert any("tests/ is in the package" in each for each in texts)
    assert any("the largest file: shared/a.py" in each for each in texts)
    assert "requirements.txt: has no hashes; make lock" in texts


@pytest.mark.parametrize("git", ["there", "missing"])
def test_outside_of_a_checkout_what_is_there_is_looked_at(
    git: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an unpacked archive."""
    project(tmp_path, f"{RULES}.venv/\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_bytes(b"0" * (MOST_BYTES + 1))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if git == "missing":
        monkeypatch.setenv("PATH", str(tmp_path))

    assert list(check(tmp_path)) == []

    (tmp_path / "host.json").unlink()
    assert [each.what for each in check(tmp_path)] == ["host.json is not in the package, and the app needs it"]
