import zlib
from collections.abc import Iterator

import pytest

from tests.integration.event_grid.stand_in import Receiver, StandIn, receiving, running


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for all tests that leave it running, its time a hundred times as fast as the service's."""
    with running(tmp_path_factory.mktemp("event-grid")) as stand_in:
        yield stand_in


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def name(grid: StandIn, request: pytest.FixtureRequest) -> Iterator[str]:
    """A subscription's name, which is free again afterwards."""
    chosen = f"test-{zlib.crc32(request.node.nodeid.encode()):08x}"
    yield chosen
    grid.control("DELETE", f"subscriptions/{chosen}")
