"""Arrivals that tests of the ledger send."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.clients.ledger import ArrivalLedger, JoinedWindow, Ledger, RunLedger
from shared.messages import Arrival, ArrivalWindow, RunRequest, Verdict, WindowVerdict
from tests.support.arrivals import an_arrival
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def at(seconds: float, event: str = "", **changes: object) -> Arrival:
    """An event about a blob of its own, received as soon as it occurred."""
    moment = START + timedelta(seconds=seconds)
    event = event or f"event-{seconds}"
    own = {"event_id": event, "blob": f"landing/{event}.csv", "occurred_at": moment, "received_at": moment}
    return an_arrival(**own | changes)


def a_repeat_of(arrival: Arrival, seconds: float) -> Arrival:
    """The same event, delivered later."""
    return replace(arrival, received_at=arrival.received_at + timedelta(seconds=seconds))


def a_twin_of(arrival: Arrival, event: str, seconds: float) -> Arrival:
    """Another event about the same version of the blob."""
    return a_repeat_of(replace(arrival, event_id=event), seconds)


def join(arrivals: ArrivalLedger, pipeline: str, arrival: Arrival, *, marked: bool = False) -> JoinedWindow:
    """One arrival joins the pipeline's open window."""
    return arrivals.join_windows(pipeline, [(arrival, marked)])[0]


def open_runs(runs: RunLedger, pipeline: str) -> list[RunRequest]:
    """What was claimed and has no outcome."""
    return [found.request for found in runs.unfinished(pipeline)]


def opened(ledger: Ledger, arrival: Arrival) -> ArrivalWindow:
    """The window that the arrival opens, started."""
    start = join(ledger.arrivals, PIPELINE, arrival).start
    assert start is not None
    ledger.arrivals.window_started(start)
    return start


def join_all(ledger: Ledger, arrivals: Sequence[Arrival]) -> list[JoinedWindow]:
    """All at once."""
    return ledger.arrivals.join_windows(PIPELINE, [(arrival, False) for arrival in arrivals])


def verdict_on(window: ArrivalWindow) -> WindowVerdict:
    """It was trained."""
    return WindowVerdict(
        window_id=window.window_id, pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="trained in run r", run_id="r"
    )


def verdicts(ledger: Ledger, pipeline: str | None = PIPELINE) -> list[tuple[str, Verdict]]:
    """What became of which event, newest first."""
    return [(entry.arrival.event_id, entry.verdict) for entry in ledger.arrivals.list_arrivals(pipeline).items]
