"""A burst of small files, whose events come twice, out of order, and in part not at all, becomes one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local_stack.app_client import Landed, deadline, land_all
from local_stack.demo.cast import PIPELINE, Cast
from local_stack.demo.expectations import expect
from local_stack.demo.runs import Run, known_runs
from local_stack.demo.screen import Step

CHAOS: Final[dict[str, float]] = {"seed": 7, "drop": 0.1, "duplicates": 1, "shuffle": 1.5}
"""What Event Grid does to the events: a tenth is lost, the rest comes twice, each copy up to 1.5 s late."""
COPIES: Final = 2

_EVENTS_AT_ONCE: Final = 25


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst led to. ``arrivals``: the ledger's, one for each event that came; ``lost``: blobs of the others."""

    run: Run
    arrivals: list[dict[str, Any]]
    lost: list[str]
    deliveries: int

    def summary(self) -> dict[str, Any]:
        """For the last line of the demo."""
        events = len(self.arrivals) + len(self.lost)
        return {"files": events, "events_lost": len(self.lost), "deliveries": self.deliveries, "runs": 1}


def land_burst(cast: Cast, step: Step, files: Mapping[str, bytes], *, follow: Callable[..., Run]) -> Burst:
    """Upload the files while their events are on their way, and expect one promoted run over all of them.

    ``follow``: called as :func:`local_stack.demo.runs.follow_run` for that run.
    """
    known, before = known_runs(cast), cast.agent.deliveries()
    _land_and_tell(cast, step, files)
    cast.screen.note(step, "settling: waiting until no more files come")
    run = follow(cast, step, cast.app.wait_for_new_run(PIPELINE, known), expected="promoted")
    after = cast.agent.wait_until_delivered()
    happened = {name: after[name] - before[name] for name in ("matched", "lost", "delivered")}
    arrivals = _judged_arrivals(cast)
    burst = Burst(
        run, arrivals, sorted(files.keys() - {each["blob"] for each in arrivals}), deliveries=happened["delivered"]
    )
    _check(cast, burst, known, happened, files=len(files))
    return burst


def _land_and_tell(cast: Cast, step: Step, files: Mapping[str, bytes]) -> None:
    waiting: list[Landed] = []
    for number, blob in enumerate(land_all(cast.endpoints, PIPELINE, files), 1):
        waiting.append(blob)
        if len(waiting) == _EVENTS_AT_ONCE or number == len(files):
            cast.agent.publish_written(waiting)
            waiting.clear()
        if number % 100 == 0:
            cast.screen.note(step, f"{number} files have landed")


def _judged_arrivals(cast: Cast) -> list[dict[str, Any]]:
    """All arrivals, once each has its verdict: an event that came late may have opened a window of its own."""
    for _ in deadline(300, "a verdict on every arrival"):
        arrivals = cast.app.arrivals(PIPELINE)
        if all(arrival["verdict"] != "joined" for arrival in arrivals):
            return arrivals
    raise AssertionError  # deadline() raises first


def _check(cast: Cast, burst: Burst, known: set[str], happened: Mapping[str, int], *, files: int) -> None:
    run, arrivals = burst.run, burst.arrivals
    runs = known_runs(cast) - known
    expect(runs == {run["run_id"]}, f"the burst became {len(runs)} runs, not one")
    expect(run["blobs"] == files, f"run {run['run_id']} has {run['blobs']} files, not {files}")
    expect(happened["matched"] == files, f"Event Grid had {happened['matched']} events, not {files}")
    expect(0 < happened["lost"] < files // 5, f"{happened['lost']} events were lost, not about a tenth")
    delivered = (files - happened["lost"]) * COPIES
    expect(happened["delivered"] == delivered, f"{happened['delivered']} deliveries succeeded, not {delivered}")
    expect(
        len(arrivals) == files - happened["lost"], f"the ledger has {len(arrivals)} arrivals, not one for each event"
    )
    expect(len(burst.lost) == happened["lost"], "arrivals of the same blob differ, though each had one event")
    verdicts = {arrival["verdict"] for arrival in arrivals}
    # Unchanged: it came when the window was closed and the listing had shown the file already.
    expect("trained" in verdicts and verdicts <= {"trained", "unchanged"}, f"the verdicts are {sorted(verdicts)}")
