"""What no rule keeps goes, in small steps; what serves, is kept, wanted or not over stays with all that it needs."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.retention import EVERY, MOST, keep_bounded
from function_app.reconciler.troubles import check_pipeline_files
from shared.errors import PermanentError, TransientError
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    Actor,
    ActorKind,
    Outcome,
    PlannedRelease,
    Retirement,
    RunRecord,
    ServingPlan,
)
from shared.oci.referrers import fallback_tag
from shared.oci.removal import RUN_LABEL
from shared.settings import Retention
from tests.support.past import TARGET, Past
from tests.support.reconciler import PIPELINE, WatchedWorld

DAY = timedelta(days=1)
REPOSITORY = f"models/{PIPELINE}"


@pytest.fixture
def past(world: WatchedWorld) -> Past:
    return Past(world)


def step(past: Past, *, after: timedelta = EVERY) -> CycleContext:
    past.world.now += after
    past.manifests.now = past.world.now
    state = past.world.ledger.targets.of(TARGET, PIPELINE)
    if state.seen is not None:
        past.world.ledger.targets.saw(state.seen, at=past.world.now)

    async def steps(context: CycleContext) -> None:
        await check_pipeline_files(context)
        await keep_bounded(context)

    context, _ = past.world.cycle(steps)
    return context


def tags(past: Past) -> set[str]:
    return {tag for tag in past.registry.tags(REPOSITORY) if not tag.startswith("sha256-")}


def history(past: Past, days_between: float, outcomes: list[Outcome]) -> list[RunRecord]:
    records = []
    for number, outcome in enumerate(outcomes):
        past.world.now += days_between * DAY
        records.append(past.has_run(number, outcome))
    return records


def test_images_beyond_the_newest_releases_go_with_their_signatures(
    past: Past, caplog: pytest.LogCaptureFixture
) -> None:
    records = history(past, 1, [Outcome.PROMOTED] * 6)

    with caplog.at_level(logging.INFO):
        context = step(past)

    assert tags(past) == {record.run_id for record in records[3:]}
    assert len(past.registry.manifests) == 3 * 5  # tag and digest of image and index, and the signature's
    assert context.done["images removed"] == 3
    assert f"removed the image of run {records[0].run_id} from {REPOSITORY}: nothing runs it" in caplog.text
    assert past.world.ledger.runs.run(records[0].run_id) is not None


def test_old_records_go_with_manifest_code_history_arrivals_and_claims(past: Past) -> None:
    for number in range(5):
        past.world.now += 10 * DAY
        past.has_run(number, Outcome.NOT_PROMOTED, image=False)
    kept = past.has_run(100)
    step(past, after=100 * DAY)
    step(past)

    size = past.size()
    assert (size["manifests"], size["code"], size["histories"]) == (1, 1, 6)
    assert (size["rows of arrivals"], size["days counted"]) == (0, 5)  # a calendar shows these for a year
    assert past.world.ledger.runs.run(kept.run_id) is not None
    assert [record.run_id for record, _ in past.world.ledger.runs.history(PIPELINE)] == [kept.run_id]
    assert size["rows of requests"] == 0
    step(past, after=380 * DAY)
    assert past.size()["rows of arrivals"] == 0


def test_what_serves_and_what_is_not_over_outlive_every_rule(past: Past) -> None:
    live = past.has_run(1)
    running = past.has_run(2, None)
    step(past, after=500 * DAY)
    step(past)

    assert tags(past) == {live.run_id, running.run_id}
    assert {record.run_id for record, _ in past.world.ledger.runs.history(PIPELINE)} == {live.run_id, running.run_id}
    assert len(past.manifests.used) == 2


def test_a_target_that_was_not_looked_at_keeps_all_images(past: Past) -> None:
    records = history(past, 1, [Outcome.PROMOTED] * 6)
    past.world.now += 2 * DAY
    past.manifests.now = past.world.now

    async def steps(context: CycleContext) -> None:
        await check_pipeline_files(context)
        await keep_bounded(context)

    past.world.cycle(steps)

    assert tags(past) == {record.run_id for record in records}


def test_an_image_that_is_wanted_meanwhile_stays(past: Past) -> None:
    records = history(past, 1, [Outcome.PROMOTED] * 6)
    listed = past.registry.tags

    def roll_back_meanwhile(repository: str) -> list[str]:
        image = records[0].image
        assert image is not None
        release = PlannedRelease(run_id=records[0].run_id, image=image, weight=100)
        plan = ServingPlan(target=TARGET, pipeline=PIPELINE, releases=(release,))
        past.world.ledger.targets.desire(plan, by="roll-back-1", at=past.world.now)
        return listed(repository)

    past.registry.tags = roll_back_meanwhile  # type: ignore[method-assign]
    step(past)

    assert tags(past) == {records[0].run_id, *(record.run_id for record in records[3:])}


def test_the_runs_own_image_by_another_run_stays_while_that_one_serves(past: Past) -> None:
    """A resumed run rolls out the image that the run before it built."""
    first = past.has_run(1, Outcome.CANCELLED)
    for number in range(2, 8):
        past.world.now += DAY
        past.has_run(number, Outcome.CANCELLED)
    resumed = past.has_run(9, Outcome.NOT_PROMOTED, image=False)
    assert first.image is not None
    past._serves(resumed.run_id, first.image)

    step(past)

    assert first.run_id in tags(past)


def test_whoever_moves_tags_makes_it_remove_nothing_that_others_need(past: Past) -> None:
    """Who may push may point any tag at anything, and removing a manifest removes it under all of its tags."""
    *doomed, _, _, live = history(past, 1, [Outcome.PROMOTED] * 6)
    stored = past.registry.manifests
    digests = [(record.image or "").rpartition("@")[2] for record in (*doomed, live)]
    lives = stored[REPOSITORY, digests[-1]]
    index = stored[REPOSITORY, fallback_tag(digests[-1])]
    signature = stored[REPOSITORY, json.loads(index.body)["manifests"][0]["digest"]]
    stored[REPOSITORY, doomed[0].run_id] = signature
    stored[REPOSITORY, doomed[1].run_id] = index
    stored[REPOSITORY, fallback_tag(digests[1])] = index
    stored[REPOSITORY, fallback_tag(digests[2])] = lives

    step(past)

    for manifest in (lives, index, signature):
        assert past.registry.get_manifest(REPOSITORY, manifest.digest) is not None
    assert [digest for digest in digests if past.registry.get_manifest(REPOSITORY, digest)] == [digests[-1]]


def test_the_image_of_a_run_that_failed_before_the_ledger_knew_of_it_goes(past: Past) -> None:
    record = past.has_run(1, Outcome.FAILED, image=False)
    body = json.dumps({"annotations": {RUN_LABEL: record.run_id}}).encode()
    past.registry.put_manifest(REPOSITORY, record.run_id, body, media_type="image")

    step(past)

    assert tags(past) == set()
    assert past.world.ledger.runs.run(record.run_id) is not None


def test_an_image_that_a_roll_back_is_about_to_want_stays(past: Past) -> None:
    records = history(past, 1, [Outcome.PROMOTED] * 6)
    by = Actor(kind=ActorKind.PERSON, name="ada")
    past.world.ledger.actions.begin(
        Action(
            action_id="back-1",
            kind=ActionKind.ROLL_BACK,
            pipeline=PIPELINE,
            by=by,
            reason="because",
            asked_at=past.world.now,
            target=TARGET,
            to=records[0].run_id,
        )
    )

    step(past)

    assert tags(past) == {records[0].run_id, *(record.run_id for record in records[3:])}


def test_records_that_have_to_wait_hold_up_no_others(past: Past) -> None:
    records = [past.has_run(number, Outcome.NOT_PROMOTED, image=False) for number in range(MOST + 5)]
    waiting = {record.run_id for record in sorted(records, key=lambda each: each.run_id)[:MOST]}
    past.world.now += 100 * DAY
    for record in records:
        request = past.world.ledger.runs.request(record.run_id)
        if request is not None and record.run_id in waiting:
            past.manifests.used[request.snapshot.manifest] = past.world.now

    step(past)

    assert {record.run_id for record, _ in past.world.ledger.runs.history(PIPELINE)} == waiting


def test_tags_that_the_ledger_does_not_know_are_left_alone(past: Past) -> None:
    history(past, 1, [Outcome.PROMOTED] * 6)
    past.registry.put_manifest(REPOSITORY, "by-hand", b"{}", media_type="image")
    past.registry.put_manifest(REPOSITORY, f"{PIPELINE}-0123456789ab-1", b'{"a":1}', media_type="image")

    step(past)

    assert {"by-hand", f"{PIPELINE}-0123456789ab-1"} <= tags(past)


def test_a_manifest_that_was_taken_up_again_stays_and_its_record_waits(past: Past) -> None:
    record = past.has_run(1, Outcome.NOT_PROMOTED, image=False)
    past.world.now += 100 * DAY
    (name,) = past.manifests.used
    past.manifests.used[name] = past.world.now

    step(past)
    assert past.world.ledger.runs.run(record.run_id) is not None

    step(past, after=2 * DAY)
    assert past.world.ledger.runs.run(record.run_id) is None


def test_a_hub_where_the_app_may_not_delete_keeps_no_record(past: Past, caplog: pytest.LogCaptureFixture) -> None:
    record = past.has_run(1, Outcome.NOT_PROMOTED, image=False)

    def refuse(name: str, *, unused_for: timedelta) -> bool:
        raise PermanentError("the signature lacks the right delete", code="bad_configuration")

    past.manifests.remove_manifest = refuse  # type: ignore[method-assign]
    step(past, after=100 * DAY)

    assert past.world.ledger.runs.run(record.run_id) is None
    assert "lacks the right delete" in caplog.text


def test_while_the_registry_is_away_records_with_images_wait(past: Past) -> None:
    records = history(past, 1, [Outcome.PROMOTED] * 6)

    def away(repository: str) -> list[str]:
        raise TransientError("the registry does not answer")

    past.registry.tags = away  # type: ignore[method-assign]
    context = step(past, after=200 * DAY)

    assert context.failed == 1
    assert past.world.ledger.runs.run(records[0].run_id) is not None


def test_steps_are_small_and_follow_each_other_while_there_is_more(past: Past) -> None:
    for number in range(2 * MOST + 5):
        past.has_run(number, Outcome.NOT_PROMOTED, image=False)
    first = step(past, after=100 * DAY)
    second = step(past, after=timedelta(minutes=2))
    for _ in range(20):
        step(past, after=timedelta(minutes=2))
    idle = step(past, after=timedelta(minutes=2))

    assert (first.done["records removed"], second.done["records removed"]) == (MOST, MOST)
    assert past.size()["histories"] == 0
    assert idle.done["records removed"] == 0


def test_the_pipelines_file_may_keep_more_releases(past: Past) -> None:
    past.world.has_pipeline(PIPELINE, deliver={"model": "m", "targets": [{"name": TARGET}], "keep_releases": 5})
    past.__post_init__()
    records = history(past, 1, [Outcome.PROMOTED] * 6)

    step(past)

    assert tags(past) == {record.run_id for record in records[1:]}


def test_histories_of_kept_runs_stay_also_where_a_whole_page_does(past: Past) -> None:
    live = past.has_run(1)
    past.world.now += DAY
    past.has_run(2, Outcome.NOT_PROMOTED, image=False)
    past.world.client.page = 3
    for _ in range(12):
        step(past, after=100 * DAY)

    left = set(past.world.client.instances)
    assert {instance for instance in left if not instance.startswith(live.run_id)} == set()
    assert len(left) == 6


def test_settings_say_how_long(past: Past) -> None:
    past.world.services.settings.__dict__["retention"] = Retention(keep_releases=1, keep_days=5)
    records = history(past, 1, [Outcome.PROMOTED] * 4)
    past.served = [records[-1].run_id]
    past.sees(records[-1].run_id, replace(records[-1]).image or "")

    step(past, after=6 * DAY)
    step(past)

    assert tags(past) == {records[-1].run_id}
    assert {record.run_id for record, _ in past.world.ledger.runs.history(PIPELINE)} == {records[-1].run_id}


def test_old_actions_that_have_ended_go(past: Past) -> None:
    actions, now = past.world.ledger.actions, past.world.now
    past.has_run(1)
    for name in ("over", "open"):
        by = Actor(kind=ActorKind.PERSON, name="ada")
        actions.begin(
            Action(action_id=name, kind=ActionKind.RETIRE, pipeline=PIPELINE, by=by, reason="because", asked_at=now)
        )
    actions.end(ActionEnd(action_id="over", done=True, sentence="done", ended_at=now))

    step(past, after=100 * DAY)

    assert actions.action("over") is None
    assert actions.action("open") is not None


def test_a_pipeline_that_was_retired_long_ago_is_retired_still(past: Past) -> None:
    actions = past.world.ledger.actions
    past.has_run(1)
    mark = actions.retire(
        Retirement(pipeline=PIPELINE, by=Actor(kind=ActorKind.PERSON, name="ada"), reason="r", at=past.world.now)
    )
    actions.begin(
        Action(
            action_id=mark.action_id,
            kind=ActionKind.RETIRE,
            pipeline=PIPELINE,
            by=mark.by,
            reason=mark.reason,
            asked_at=mark.at,
        )
    )
    actions.end(ActionEnd(action_id=mark.action_id, done=True, sentence="done", ended_at=past.world.now))

    step(past, after=1000 * DAY)
    assert actions.retired(PIPELINE) == mark

    actions.reinstate(PIPELINE)
    step(past)
    assert actions.action(mark.action_id) is None
