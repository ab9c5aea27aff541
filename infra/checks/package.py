"""What is deployed as the app: what ``.funcignore`` leaves of the project's files."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from infra.checks.findings import Finding

NEEDED = (
    "function_app.py",
    "host.json",
    "requirements.txt",
    "pipelines/",
    "training/common/",
    "orchestrations/",
    "shared/",
)
UNWANTED = (
    "tests/",
    "docs/",
    "infra/",
    "local_stack/",
    "benchmarks/",
    "cli/",
    ".github/",
    "azure.yaml",
    "local.settings.json",
)
MOST_BYTES = 5_000_000
"""Of the files as they are, before they are packed; Azure installs the packages of ``requirements.txt`` itself."""


def check(root: Path, files: Iterable[str] | None = None) -> Iterator[Finding]:
    """``files``: of the project, by default those under version control, or all that are there."""
    packed = package(root, _files(root) if files is None else files)
    for name in NEEDED:
        if not any(each == name or each.startswith(name) for each in packed):
            yield Finding(".funcignore", f"{name} is not in the package, and the app needs it")
    for name in UNWANTED:
        if any(each == name or (name.endswith("/") and each.startswith(name)) for each in packed):
            yield Finding(".funcignore", f"{name} is in the package, and the app does not need it; name it there")
    size = sum((root / each).stat().st_size for each in packed)
    if size > MOST_BYTES:
        large = max(packed, key=lambda each: (root / each).stat().st_size)
        yield Finding(".funcignore", f"the package has {size} bytes, more than {MOST_BYTES}; the largest file: {large}")
    if "--hash=sha256:" not in (root / "requirements.txt").read_text(encoding="utf-8"):
        yield Finding("requirements.txt", "has no hashes; make lock")


def package(root: Path, files: Iterable[str]) -> list[str]:
    """Those of the files that are deployed."""
    rules = _rules(root)
    return sorted(each for each in files if not any(_hidden(each, rule) for rule in rules) and (root / each).is_file())


def _rules(root: Path) -> list[str]:
    rules = [each.strip() for each in (root / ".funcignore").read_text(encoding="utf-8").splitlines()]
    return [each for each in rules if each and not each.startswith("#")]


def _hidden(name: str, rule: str) -> bool:
    """Whether a rule, of the few forms that we use, keeps a file out: ``folder/``, ``*.ending``, a name."""
    parts = name.split("/")
    if rule.endswith("/"):
        return any(fnmatch(each, rule[:-1]) for each in parts[:-1])
    return any(fnmatch(each, rule) for each in parts)


def _files(root: Path) -> list[str]:
    """Those under version control; without it, as in an unpacked archive, all that are there and are not hidden."""
    # In a container the files may belong to another user than the one who asks; git would refuse to look at them.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    with suppress(OSError):  # no git
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            return [each for each in listed.stdout.split("\0") if each]
    return list(_found(root, "", _rules(root)))


def _found(root: Path, below: str, rules: list[str]) -> Iterator[str]:
    for path in sorted((root / below).iterdir()):
        name = f"{below}{path.name}"
        if not path.is_dir():
            yield name
        elif not any(_hidden(f"{name}/", rule) for rule in rules):
            yield from _found(root, f"{name}/", rules)
