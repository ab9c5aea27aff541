import secrets
import shutil
from collections.abc import Iterator

import pytest

from tests.support.registry import PROGRAM, RunningRegistry, running_registry


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry that everybody may use."""
    _require_program()
    with running_registry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry that asks for a password."""
    _require_program()
    with running_registry(tmp_path_factory.mktemp("closed"), password=secrets.token_urlsafe(12)) as registry:
        yield registry


@pytest.fixture
def repository() -> str:
    """A repository that no other test uses."""
    return f"test/{secrets.token_hex(6)}"


def _require_program() -> None:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed (Debian package docker-registry)")
