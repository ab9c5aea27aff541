"""Lock files against what they were made from: what is asked for, what is pinned, what clashes. No index is asked.

A lock is made from ``training/<folder>/requirements.in`` together with what serving needs
(``training/common/requirements-serving.in``), so one set of libraries trains and serves.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cli.validation.findings import Finding, FindingCode, error, unchecked, warning

TARGET = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
}
"""The environment of the image, for requirements with a condition."""

REMEDY = "run `make lock`"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(\[[^\]]*\])?\s*==\s*(?P<version>[^\s;\\]+)")
_COMPILE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Lock:
    """Pins of a lock file: canonical name -> version. ``clashes``: names that are pinned to two versions."""

    pins: Mapping[str, str]
    clashes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    without_hash: tuple[str, ...] = ()


def read_lock(text: str) -> Lock:
    """The pins of a lock's text; what is no pin (options, hashes, comments) is passed over."""
    pins: dict[str, str] = {}
    clashes: dict[str, tuple[str, str]] = {}
    hashed: set[str] = set()
    name = ""
    for line in text.splitlines():
        if pin := _PIN.match(line):
            name = canonicalize_name(pin["name"])
            before = pins.setdefault(name, pin["version"])
            if before != pin["version"]:
                clashes[name] = (before, pin["version"])
        if "--hash=" in line:
            hashed.add(name)
    return Lock(pins, clashes, tuple(sorted(pins.keys() - hashed)))


def lock_findings(root: Path, *, lock: str, sources: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with a folder's lock. ``lock`` and ``sources``: paths below ``root``."""
    path = root / lock
    for source in sources:
        if not (root / source).is_file():
            what = "is missing; add it, with the libraries that the lock is made from, one a line"
            yield error(FindingCode.FILE_MISSING, source, what)
    if not path.is_file():
        yield error(FindingCode.LOCK_MISSING, lock, f"is missing; {REMEDY}, which makes it from {sources[0]}")
        return
    read = read_lock(path.read_text(encoding="utf-8", errors="replace"))
    for name, versions in sorted(read.clashes.items()):
        yield error(FindingCode.LOCK_CLASH, lock, f"pins {name} to {versions[0]} and to {versions[1]}; {REMEDY}")
    if read.without_hash:
        names = ", ".join(read.without_hash[:5]) + (" and others" if len(read.without_hash) > 5 else "")
        yield error(FindingCode.LOCK_WITHOUT_HASHES, lock, f"has no hash for {names}; {REMEDY}, which adds them")
    for source in filter(lambda each: (root / each).is_file(), sources):
        yield from _unmet(root / source, source, read, lock)


def _unmet(path: Path, source: str, lock: Lock, locked: str) -> Iterator[Finding]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        wanted = line.partition(" #")[0].strip()
        if not wanted or wanted.startswith(("#", "-")):  # what it includes is looked at as a source of its own
            continue
        where = f"{source}, line {number}"
        try:
            requirement = Requirement(wanted)
        except InvalidRequirement as problem:
            yield error(FindingCode.LOCK_STALE, where, f"is not a requirement ({str(problem).splitlines()[0]})")
            continue
        if requirement.marker and not requirement.marker.evaluate(TARGET):
            continue
        said = _difference(requirement, lock)
        if said:
            yield error(FindingCode.LOCK_STALE, where, f"{said} in {locked}; {REMEDY}")


def _difference(requirement: Requirement, lock: Lock) -> str:
    """How a requirement and the lock differ; empty when the lock fulfils it."""
    pinned = lock.pins.get(canonicalize_name(requirement.name))
    if pinned is None:
        return f"{requirement.name} is asked for, and not pinned"
    try:
        fits = requirement.specifier.contains(Version(pinned), prereleases=True)
    except InvalidVersion:
        fits = False
    return "" if fits else f"{requirement} is asked for, and {pinned} pinned"


def resolve_findings(root: Path, *, lock: str, sources: tuple[str, ...]) -> Iterator[Finding]:
    """Compile the lock anew with uv, keeping its pins where they fit: what cannot be resolved, what would change.

    Asks the package index. The lock stays as it is.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        yield unchecked(lock, "--resolve needs uv, which is not installed; install it: pip install uv")
        return
    with TemporaryDirectory(prefix="edgetrain-lock-") as folder:
        made = Path(folder) / "requirements.txt"
        if (root / lock).is_file():
            shutil.copyfile(root / lock, made)  # uv keeps what is pinned there and still fits
        command = [uv, "pip", "compile", "-q", "--python-version", "3.11", "--python-platform", "linux"]
        command += ["--no-header", "--no-annotate", "--no-emit-index-url", *sources, "-o", str(made)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, cwd=root, timeout=_COMPILE_SECONDS
            )
        except subprocess.TimeoutExpired:
            yield unchecked(
                lock, f"uv did not come to an end in {_COMPILE_SECONDS:.0f} s; is the package index in reach?"
            )
            return
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[:600]
            yield error(FindingCode.CANNOT_BE_RESOLVED, " + ".join(sources), f"uv finds no set of versions: {said}")
            return
        yield from _compared(lock, root / lock, made)


def _compared(lock: str, there: Path, made: Path) -> Iterator[Finding]:
    if not there.is_file():
        return
    old, new = (read_lock(path.read_text(encoding="utf-8")).pins for path in (there, made))
    differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if differing:
        said = ", ".join(f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in differing[:8])
        yield warning(FindingCode.LOCK_STALE, lock, f"would come out otherwise today: {said}; {REMEDY}")
