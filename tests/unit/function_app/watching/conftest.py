from pathlib import Path

import pytest

from tests.support.watching import WatchedWorld


@pytest.fixture
def world(tmp_path: Path) -> WatchedWorld:
    return WatchedWorld(tmp_path)
