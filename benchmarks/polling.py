"""What poll 1,000 of one training costs against poll 10, and how long a training that has ended waits for the next one.

Costs are history rows and CPU, in the local host's engine.

The real ``await_training`` over the real SDK's replay; only the activity's answer ("still running") is made up, and the
clock is moved instead of waited for.
"""

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.report import Row
from orchestrations.await_training import await_training
from shared.contracts import accepted
from shared.decisions.training.polling import LONGEST, ROUNDS_PER_EXECUTION, interval, observe
from shared.messages import TrainingLimits, TrainingPhase, TrainingPoll, TrainingStatus
from shared.values.wire import to_wire
from tests.support.builders import a_training_poll
from tests.support.workflow import START
from tests.unit.functions_host.durable.harness import Host, Stage

POLLS = 1_000
COMPARED = 10  # blocks at either end; the best of them, which other work on the machine disturbs least
SHORT = range(20, 41)
EXPECTED = 600
AT_ONCE, QUEUED = [0], range(601)
MOST_WAIT, MOST_WAIT_AFTER_A_QUEUE, MOST_POLLS = 10, 40, 13
RUNNING = accepted(TrainingStatus(phase=TrainingPhase.RUNNING, detail="Running"))


def run() -> list[Row]:
    """Polls in blocks of one execution each; the first full blocks against the last ones."""
    with TemporaryDirectory(prefix="polling-") as folder:
        blocks = _poll(Path(folder) / "hub.sqlite")
    assert len(blocks) == POLLS // ROUNDS_PER_EXECUTION - 1, f"{len(blocks)} blocks of polls"
    assert len(blocks) >= 2 * COMPARED, "early and late polls would be the same ones"
    early, late = blocks[:COMPARED], blocks[-COMPARED:]
    assert all(rows >= ROUNDS_PER_EXECUTION and cpu > 0 for rows, cpu in early + late), "a poll that left no trace"
    rows = [sum(block[0] for block in part) / (COMPARED * ROUNDS_PER_EXECUTION) for part in (early, late)]
    cpu = [min(block[1] for block in part) / ROUNDS_PER_EXECUTION for part in (early, late)]
    return [
        Row(
            what="history rows per poll, at poll 1,000 against poll 10",
            ours=f"{rows[1]:.2f}",
            baseline=f"{rows[0]:.2f}",
            ratio=rows[1] / rows[0],
            goal=1.0,
        ),
        Row(
            what="CPU per poll, at poll 1,000 against poll 10",
            ours=f"{cpu[1] * 1000:.1f} ms",
            baseline=f"{cpu[0] * 1000:.1f} ms",
            ratio=cpu[1] / cpu[0],
            goal=1.0,
            remark="nothing grows with the number of polls; what differs from 1 is noise",
        ),
        *_waits(),
    ]


def _waits() -> list[Row]:
    """Of trainings that nobody tells the end of; the app is told by Event Grid, and polls in case it is not."""
    _, polls = _noticed(EXPECTED, EXPECTED)
    what = "seconds until a training of 20 to 40 s is known to have ended, where ten minutes were expected"
    return [
        _wait(what, AT_ONCE, MOST_WAIT),
        _wait(f"{what}, after up to ten minutes of waiting for the compute target", QUEUED, MOST_WAIT_AFTER_A_QUEUE),
        Row(
            what="polls of a ten-minute training that takes as long as expected",
            ours=str(polls),
            baseline=f"at most {MOST_POLLS}",
            ratio=polls / MOST_POLLS,
            goal=1.0,
        ),
    ]


def _wait(what: str, queues: Iterable[int], most: float) -> Row:
    waits = [_noticed(seconds, EXPECTED, queued)[0] for queued in queues for seconds in SHORT]
    return Row(
        what=what,
        ours=f"{max(waits):.0f} s at the most",
        baseline=f"at most {most:g} s",
        ratio=max(waits) / most,
        goal=1.0,
        remark=f"{sum(waits) / len(waits):.1f} s on average",
    )


def _noticed(seconds: float, expected: float, queued: float = 0) -> tuple[float, int]:
    """How long after its end the training is known to have ended, and after how many polls.

    The answer to the submission is the first look, and counts as none. ``queued``: how long it waits before it runs.
    """
    limits = TrainingLimits(queued_seconds=1e9, running_seconds=1e9, expected_seconds=expected)
    poll, at, looks = a_training_poll(limits=limits), 0.0, 0
    while at < queued + seconds:
        now = START + timedelta(seconds=at)
        phase = TrainingPhase.QUEUED if at < queued else TrainingPhase.RUNNING
        poll = observe(poll, TrainingStatus(phase=phase, detail=""), now)
        at += interval(poll, now).total_seconds()
        looks += 1
    return at - queued - seconds, looks


def _poll(path: Path) -> list[tuple[int, float]]:
    """History rows and CPU seconds of each block of polls."""
    stage = Stage(path)
    stage.orchestrator(await_training)
    asked = 0

    def check_training(value: Any) -> Any:
        nonlocal asked
        asked += bool(value)
        return RUNNING

    def submit_training(value: Any) -> Any:
        return RUNNING if value else None

    stage.activity(check_training)
    stage.activity(submit_training)
    endless = TrainingLimits(queued_seconds=1e9, running_seconds=1e9, expected_seconds=600)
    poll: TrainingPoll = a_training_poll(limits=endless)
    blocks: list[tuple[int, float]] = []

    async def scenario(host: Host) -> None:
        await host.start("await_training", to_wire(poll))
        while asked < POLLS:
            target = (asked // ROUNDS_PER_EXECUTION + 1) * ROUNDS_PER_EXECUTION
            rows, cpu = host.hub.metrics()["history_rows_written"], time.process_time()
            while asked < target:
                await host.advance(LONGEST + timedelta(seconds=1))
            blocks.append((host.hub.metrics()["history_rows_written"] - rows, time.process_time() - cpu))

    stage.play(scenario)
    return blocks[1:]  # the first one also loads and submits
