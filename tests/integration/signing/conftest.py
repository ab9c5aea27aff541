import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clients.container_registry import ContainerRegistryClient
from tests.integration.signing.world import World
from tests.support.registry import PROGRAM, RunningRegistry, running_registry


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry that everybody may use: whoever may push is not believed anyway."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed (Debian package docker-registry)")
    with running_registry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture
def client(open_registry: RunningRegistry) -> Iterator[ContainerRegistryClient]:
    with open_registry.client() as client:
        yield client


@pytest.fixture
def world(client: ContainerRegistryClient, tmp_path: Path) -> World:
    """A pipeline of its own in the registry, with a signed dependency image and nothing else."""
    return World(client, f"p{secrets.token_hex(6)}", tmp_path)
