from pathlib import Path

import pytest

from tests.support.reconciler import WatchedWorld
from tests.unit.function_app.reconciler.paged_hub import PagedHub


@pytest.fixture
def world(tmp_path: Path) -> WatchedWorld:
    return WatchedWorld(tmp_path)


@pytest.fixture
def hub(world: WatchedWorld) -> PagedHub:
    hub = PagedHub()
    world.services.__dict__["hubs"] = hub
    return hub
