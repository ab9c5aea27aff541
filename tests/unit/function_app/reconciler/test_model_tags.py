"""The tags of registered models follow the ledger's champion, without a request too many."""

from dataclasses import replace
from datetime import timedelta

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.model_tags import EVERY, keep_model_tags
from function_app.reconciler.troubles import check_pipeline_files
from shared.decisions.delivery.model_stages import ModelVersion, TagChange
from shared.errors import TransientError
from shared.messages import Champion, Lineage, Outcome
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.support.training import MemoryRegistry

RUNS = [f"{PIPELINE}-{letter * 12}-1" for letter in "abc"]
MODEL = "breast-cancer"


def registers(world: WatchedWorld, run_id: str) -> None:
    world.claims(run_id=run_id, fingerprint=run_id.split("-")[2] * 6, requested_by=run_id)
    lineage = Lineage(run_id=run_id, pipeline=PIPELINE, fingerprint="", snapshot_digest="", blobs=0, metrics={})
    world.services.registry.register(lineage, name=MODEL, path="outputs/model")


def ends(world: WatchedWorld, run_id: str, outcome: Outcome) -> None:
    record = world.ledger.runs.run(run_id)
    assert record is not None
    world.ledger.runs.record_run(replace(record, outcome=outcome, ended_at=world.now))
    if outcome is Outcome.PROMOTED:
        champion = Champion(pipeline=PIPELINE, run_id=run_id, model=MODEL, version="1")
        world.ledger.champions.crown(champion, since=world.now)


def passes(world: WatchedWorld) -> list[str]:
    async def both(context: CycleContext) -> None:
        await check_pipeline_files(context)
        await keep_model_tags(context)

    world.cycle(both)
    return [tags["stage"] for tags in world.services.registry.tags.values()]


def test_tags_go_through_candidate_champion_and_retired(world: WatchedWorld) -> None:
    registers(world, RUNS[0])
    assert passes(world) == ["candidate"]

    ends(world, RUNS[0], Outcome.PROMOTED)
    assert passes(world) == ["champion"]

    registers(world, RUNS[1])
    ends(world, RUNS[1], Outcome.PROMOTED)
    registers(world, RUNS[2])
    assert passes(world) == ["retired", "champion", "candidate"]

    ends(world, RUNS[2], Outcome.ROLLED_BACK)
    world.now += EVERY
    assert passes(world) == ["retired", "champion", "retired"]


def test_while_nothing_changes_the_registry_is_asked_every_ten_minutes_only(world: WatchedWorld) -> None:
    asked = []

    class Counting(MemoryRegistry):
        def _of(self, name: str) -> list[ModelVersion]:
            asked.append(name)
            return super()._of(name)

    world.services.__dict__["model_registry"] = world.services.registry = Counting()
    registers(world, RUNS[0])
    for _ in range(10):
        passes(world)
        world.now += timedelta(minutes=2)

    assert asked == [MODEL] * 2


def test_after_a_crash_between_two_writes_the_next_pass_goes_on(world: WatchedWorld) -> None:
    class Crashing(MemoryRegistry):
        left = 1

        def tag(self, change: TagChange) -> None:
            if self.left == 0:
                raise TransientError("Azure ML answers 503")
            self.left -= 1
            super().tag(change)

    registry = world.services.__dict__["model_registry"] = world.services.registry = Crashing()
    for run_id in RUNS[:2]:
        registers(world, run_id)
    ends(world, RUNS[0], Outcome.PROMOTED)
    registry.left = 9
    passes(world)
    ends(world, RUNS[1], Outcome.PROMOTED)
    registry.left = 1

    broken_off = passes(world)
    registry.left = 9
    mended = passes(world)

    assert broken_off == ["retired", "candidate"]
    assert mended == ["retired", "champion"]


def test_a_pipeline_whose_file_is_gone_keeps_its_tags_in_line(world: WatchedWorld) -> None:
    registers(world, RUNS[0])
    ends(world, RUNS[0], Outcome.PROMOTED)
    world.has_file(PIPELINE, None)

    assert passes(world) == ["champion"]
