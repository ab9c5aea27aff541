from pathlib import Path

import pytest

from tests.support.watching import WatchedWorld
from tests.unit.function_app.watching.looks import PagedHub


@pytest.fixture
def world(tmp_path: Path) -> WatchedWorld:
    return WatchedWorld(tmp_path)


@pytest.fixture
def hub(world: WatchedWorld) -> PagedHub:
    hub = PagedHub()
    world.services.__dict__["hubs"] = hub
    return hub
