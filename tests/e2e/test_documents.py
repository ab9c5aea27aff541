"""Every command in the documents runs as printed: the shell blocks of each document, one after the other.

They run in a copy of the project, as a reader's clone would be: nothing of this checkout's own state is there but what
takes long to download.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT, Block, blocks, documents
from tests.support.outlived import folder_that_ends_with_us
from tests.support.podman import running_podman
from tests.support.stack import CACHE

_LINKED = (".venv", "local_stack/node_modules")


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A copy of what git knows and what is new here, with the downloads of this checkout."""
    with folder_that_ends_with_us("edgetrain-docs-") as folder:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)  # with its time: make must not set up anew
        for name in _LINKED:
            (folder / name).symlink_to((ROOT / name).resolve())
        (folder / ".local").mkdir(mode=0o700)
        (folder / ".local" / "cache").symlink_to(CACHE)
        yield folder


@pytest.fixture(scope="module")
def podman() -> Iterator[dict[str, str]]:
    """What makes the reader's own podman use a storage that is gone at the end."""
    with folder_that_ends_with_us("edgetrain-podman-") as folder, running_podman(folder) as running:
        yield {name: value for name, value in running.environment.items() if name.startswith("CONTAINERS_")}


@pytest.mark.timeout(3600)
def test_every_command_runs_as_printed(clone: Path, podman: dict[str, str]) -> None:
    ran = []
    for document in documents():  # README first: it starts the stack that the others talk to
        script = [block for block in blocks(document) if not block.not_run]
        if script:
            run(clone, script, podman)
            ran.append(document.relative_to(ROOT).as_posix())

    assert "README.md" in ran
    assert "docs/triggers.md" in ran


def run(clone: Path, script: list[Block], podman: dict[str, str]) -> None:
    """Run a document's blocks in one shell, as somebody does who reads from top to bottom."""
    lines = ["set -euo pipefail"]
    for block in script:
        lines += [f"echo '--- {block.document}:{block.line}'", block.body]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EDGETRAIN_", "PYTEST"))}
    done = subprocess.run(
        ["bash"],
        input="\n".join(lines),
        cwd=clone,
        env=environment | podman,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3300,
        check=False,
    )
    assert done.returncode == 0, f"{script[0].document} ended with {done.returncode}:\n{done.stdout[-3000:]}"
