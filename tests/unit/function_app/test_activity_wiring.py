"""What the activities without a file of their own ask for, and of whom."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.activity_wiring import BODIES, read_window
from shared.contracts import ACTIVITIES
from shared.errors import Code, PermanentError
from shared.messages import ArrivalWindow, WindowState
from shared.pipelines import Pipeline, Settle
from tests.support.arrivals import a_pipeline
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="window-1", pipeline="breast-cancer", opened_at=START)


class Windows:
    def window_state(self, window: ArrivalWindow, *, settle: Settle) -> WindowState:
        return WindowState(
            window_id=window.window_id,
            pipeline=window.pipeline,
            opened_at=window.opened_at,
            last_arrival_at=window.opened_at + timedelta(seconds=1),
            arrivals=7,
            quiet_seconds=settle.quiet_seconds,
            longest_wait_seconds=settle.longest_wait_seconds,
        )


class Catalogue:
    def get(self, name: str) -> Pipeline:
        if name != "breast-cancer":
            raise PermanentError(f"there is no pipeline {name!r}", code=Code.UNKNOWN_PIPELINE)
        return a_pipeline()


@pytest.fixture
def services() -> Any:
    return SimpleNamespace(pipelines=Catalogue(), ledger=SimpleNamespace(arrivals=Windows()))


def test_every_activity_has_a_body_of_its_name() -> None:
    assert [(row.name, BODIES[row.name].__name__) for row in ACTIVITIES] == [(row.name, row.name) for row in ACTIVITIES]
    assert len(BODIES) == len(ACTIVITIES)


def test_a_window_is_read_with_its_pipelines_periods(services: Any) -> None:
    state = read_window(WINDOW, services)
    assert (state.arrivals, state.quiet_seconds, state.longest_wait_seconds) == (7, 5, 60)


def test_a_window_of_a_pipeline_that_is_gone_is_rejected(services: Any) -> None:
    gone = ArrivalWindow(window_id="w", pipeline="gone", opened_at=START)
    with pytest.raises(PermanentError) as caught:
        read_window(gone, services)
    assert caught.value.code is Code.UNKNOWN_PIPELINE
