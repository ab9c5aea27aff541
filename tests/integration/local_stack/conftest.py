import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.supervisor import Stack
from tests.support.local_stack import run_folder

NEEDED = ("node", "haproxy", "docker-registry", "podman")
PARTS = ("hub_storage", "cloud_storage", "registry_gate", "vm", "haproxy")


@pytest.fixture(scope="session")
def stack_programs() -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [name for name in (*NEEDED, "sshd") if not shutil.which(name, path=path)]:
        pytest.skip(f"missing {', '.join(missing)}: run python -m local_stack.setup")


@pytest.fixture(scope="session")
def stack(stack_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The hub, its VM, the cloud's storage and the registry, without the parts that have tests of their own."""
    with run_folder(tmp_path_factory) as folder, Stack.start(folder, only=PARTS) as running:
        yield running


@pytest.fixture
def state(stack_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder that is stopped and wiped at the end, whatever the test did to it."""
    with run_folder(tmp_path_factory) as folder:
        yield folder
