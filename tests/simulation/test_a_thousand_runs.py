"""A thousand runs over eight months: every store is bounded, and what serves or can be rolled back to is there."""

from datetime import timedelta
from pathlib import Path

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.retention import MOST, keep_bounded
from function_app.reconciler.troubles import check_pipeline_files
from shared.decisions.arrivals.day_counts import HISTORY
from shared.decisions.delivery.retention import UNPROMOTED
from shared.messages import Outcome
from shared.settings import Retention
from tests.support.past import CHILDREN, KEPT_ON_TARGET, TARGET, Past
from tests.support.reconciler import PIPELINE, WatchedWorld

RUNS, A_DAY = 1_000, 4
KEEP_DAYS = 30
MOST_STEPS = 8  # cycles after each week
OUTCOMES = [Outcome.PROMOTED, Outcome.NOT_PROMOTED, Outcome.ROLLED_BACK, Outcome.NOT_PROMOTED, Outcome.FAILED]


def keeps(past: Past, after: timedelta) -> None:
    past.world.now += after
    past.manifests.now = past.world.now
    state = past.world.ledger.targets.of(TARGET, PIPELINE)
    if state.seen is not None:
        past.world.ledger.targets.saw(state.seen, at=past.world.now)

    async def steps(context: CycleContext) -> None:
        await check_pipeline_files(context)
        await keep_bounded(context)
        assert context.failed == 0

    past.world.cycle(steps)


def test_after_a_thousand_runs_every_store_is_bounded(tmp_path: Path) -> None:
    past = Past(WatchedWorld(tmp_path))
    past.world.services.settings.__dict__["retention"] = Retention(keep_days=KEEP_DAYS)
    sizes = []
    for number in range(RUNS):
        past.world.now += timedelta(days=1) / A_DAY
        outcome = OUTCOMES[number % len(OUTCOMES)]
        past.has_run(number, outcome, image=outcome in {Outcome.PROMOTED, Outcome.ROLLED_BACK})
        if number % (7 * A_DAY) == 0:
            for _ in range(MOST_STEPS):
                keeps(past, timedelta(minutes=2))
            keeps(past, timedelta(hours=1))
            sizes.append(past.size())
            serving = past.world.ledger.targets.of(TARGET, PIPELINE).desired
            assert serving is not None
            assert set(past.served) | {each.run_id for each in serving.releases} <= set(
                past.registry.tags(f"models/{PIPELINE}")
            )
            for run_id in past.served:
                request = past.world.ledger.runs.request(run_id)
                assert request is not None
                assert request.snapshot.manifest in past.manifests.used
                assert request.plan.job is not None
                assert request.plan.job.tree in past.code.used

    early, late = sizes[len(sizes) // 3], sizes[-1]
    recent = A_DAY * (KEEP_DAYS + 8)  # a step comes every week
    assert late["tags"] <= 2 * (KEPT_ON_TARGET + UNPROMOTED + 7 * A_DAY)  # and each its signatures' tag
    assert late["manifests"] <= recent + KEPT_ON_TARGET
    assert late["code"] <= recent // 50 + 2
    assert late["histories"] <= (recent + KEPT_ON_TARGET) * (len(CHILDREN) + 1)
    assert late["rows of runs"] <= (recent + KEPT_ON_TARGET) * 3 + 1
    assert late["rows of arrivals"] <= recent * 4
    assert late["rows of requests"] <= recent
    days = late.pop("days counted")  # grows for as long as a forecast looks back
    assert days <= RUNS // A_DAY + 1, "one row for each day, however many runs"
    for store, size in late.items():
        assert size <= 1.25 * early[store] + 5, f"{store} grows: {early[store]}, then {size}"

    past.world.now += HISTORY + timedelta(days=1)
    past.has_run(RUNS)
    for _ in range(days // MOST + 2):
        keeps(past, timedelta(minutes=2))
    assert past.size()["days counted"] == 1, "no day is counted that no forecast looks back to"
