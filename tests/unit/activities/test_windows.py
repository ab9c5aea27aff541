"""``read_window``, ``close_window`` and ``record_verdict``: thin, so what they hand on is what matters."""

from dataclasses import dataclass, field

import pytest

from activities.close_window import close_window
from activities.read_window import read_window
from activities.record_verdict import record_verdict
from shared.errors import Code, PermanentError
from shared.messages import ArrivalWindow, Done, Verdict, WindowState, WindowVerdict
from shared.pipelines import Pipeline, Settle
from tests.support.arrivals import a_pipeline
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="window-1", pipeline="breast-cancer", opened_at=START)


@dataclass
class Windows:
    closed: list[ArrivalWindow] = field(default_factory=list)
    verdicts: list[WindowVerdict] = field(default_factory=list)

    def window_state(self, window: ArrivalWindow, *, settle: Settle) -> WindowState:
        return WindowState(
            window_id=window.window_id,
            pipeline=window.pipeline,
            opened_at=window.opened_at,
            last_arrival_at=window.opened_at,
            arrivals=7,
            quiet_seconds=settle.quiet_seconds,
            longest_wait_seconds=settle.longest_wait_seconds,
        )

    def close_window(self, window: ArrivalWindow) -> None:
        self.closed.append(window)

    def record_verdict(self, verdict: WindowVerdict) -> None:
        self.verdicts.append(verdict)


class Catalogue:
    def get(self, name: str) -> Pipeline:
        if name != "breast-cancer":
            raise PermanentError(f"there is no pipeline {name!r}", code=Code.UNKNOWN_PIPELINE)
        return a_pipeline()


def test_a_window_is_read_with_its_pipelines_periods() -> None:
    state = read_window(WINDOW, pipelines=Catalogue(), windows=Windows())
    assert (state.arrivals, state.quiet_seconds, state.longest_wait_seconds) == (7, 5, 60)


def test_a_window_of_a_pipeline_that_is_gone_is_rejected() -> None:
    gone = ArrivalWindow(window_id="w", pipeline="gone", opened_at=START)
    with pytest.raises(PermanentError, match="there is no pipeline 'gone'"):
        read_window(gone, pipelines=Catalogue(), windows=Windows())


def test_closing_and_judging_reach_the_ledger() -> None:
    windows = Windows()
    verdict = WindowVerdict(window_id="window-1", pipeline="breast-cancer", verdict=Verdict.TRAINED, reason="r")
    assert close_window(WINDOW, windows=windows) == Done()
    assert record_verdict(verdict, windows=windows) == Done()
    assert (windows.closed, windows.verdicts) == ([WINDOW], [verdict])
