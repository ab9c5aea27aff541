"""Whole runs whose models are delivered by plans, on the real engine: approved, watched, taken back, killed halfway."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.messages import Approval, BuiltImage, CanaryVerdict, Done, Outcome, RegisteredModel, RunRecord
from shared.pipelines import Pipelines
from tests.simulation.world import LostAnswerError, World, world
from tests.support.arrivals import a_pipeline
from tests.support.scripted_target import Behaviour

NAME = "breast-cancer"
ANSWERS = {
    "register_model": RegisteredModel(name="m", version="1"),
    "build_image": BuiltImage(repository="r", digest="sha256:1", reference="r@sha256:1"),
    "issue_passport": Done(),
    "remove_image": Done(),
}
TARGETS = [{"name": "hub-vm"}, {"name": "cloud"}]
CANARY = {"steps": [10, 50], "soak_seconds": 60, "least_requests": 20, "watch_seconds": 10}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pipelines"
    made.mkdir()
    return made


@pytest.fixture
def site(folder: Path) -> Iterator[World]:
    deliver(folder)
    with world(folder) as made:
        made.answers = ANSWERS
        made.upload(NAME, "holdout/holdout.csv")
        made.upload(NAME, "landing/part-0.csv")
        yield made


def deliver(folder: Path, **changes: Any) -> None:
    """The pipeline's file, with this under ``deliver``."""
    values = a_pipeline(NAME, container=NAME).model_dump(mode="json", exclude_none=True)
    values["train"]["expected_seconds"] = 60
    values["judge"] |= {"floor": 0.1, "margin": -0.01}
    values["deliver"] |= {"targets": TARGETS} | changes
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def deploy(site: World, folder: Path, **changes: Any) -> None:
    """The pipeline's file anew, and the app with it."""
    deliver(folder, **changes)
    site.services.__dict__["pipelines"] = Pipelines(folder)


def run(site: World, number: int, seconds: float = 1800) -> RunRecord:
    """One more file, and the run that it leads to."""
    site.upload(NAME, f"landing/part-{number}.csv")
    site.request(NAME, f"http-{number}")
    for _ in range(int(seconds / 2)):
        site.advance(timedelta(seconds=2))
        newest = site.ledger.runs.list_runs([NAME], limit=1).items[0]
        if newest.outcome is not None and len(site.ledger.runs.list_runs([NAME]).items) == number:
            return newest
    raise AssertionError("the run has not ended")


def serves(site: World) -> dict[str, dict[str, int]]:
    return {target["name"]: site.targets.of(target["name"], NAME).serves for target in TARGETS}


def is_delivered(site: World, record: RunRecord) -> bool:
    """Whether targets, their plans in the ledger and the champion all say that this run serves, and it alone."""
    desired = [site.ledger.targets.of(target["name"], NAME).desired for target in TARGETS]
    wanted = [{each.run_id for each in plan.releases if each.weight} if plan else None for plan in desired]
    assert wanted == [{record.run_id} for _ in TARGETS]
    assert serves(site) == {target["name"]: {record.run_id: 100} for target in TARGETS}
    assert site.ledger.champions.champion(NAME).run_id == record.run_id
    return True


def worse_than_before(site: World, *targets: str) -> None:
    """Releases that are started from now on fail under traffic there."""
    for name in targets:
        target = site.targets.of(name, NAME)
        target.otherwise = Behaviour(errors=0.4)


def test_a_canary_at_every_target(site: World, folder: Path) -> None:
    first = run(site, 1)
    deploy(site, folder, strategy=CANARY)
    second = run(site, 2)

    assert (first.outcome, second.outcome) == (Outcome.PROMOTED, Outcome.PROMOTED)
    assert serves(site) == {"hub-vm": {second.run_id: 100}, "cloud": {second.run_id: 100}}
    for result in second.targets:
        assert [(step.weight, step.verdict) for step in result.canary] == [
            (10, CanaryVerdict.PASSED),
            (50, CanaryVerdict.PASSED),
        ]
        assert result.before == first.run_id
    assert site.ledger.champions.champion(NAME).run_id == second.run_id


@pytest.mark.parametrize(("rule", "cloud"), [("keep", "new"), ("roll_back_all", "old")])
def test_one_target_fails(site: World, folder: Path, rule: str, cloud: str) -> None:
    first = run(site, 1)
    deploy(site, folder, strategy=CANARY, on_failure=rule)
    worse_than_before(site, "hub-vm")
    second = run(site, 2)

    runs = {"old": first.run_id, "new": second.run_id}
    assert serves(site) == {"hub-vm": {first.run_id: 100}, "cloud": {runs[cloud]: 100}}
    assert second.outcome is (Outcome.PROMOTED if rule == "keep" else Outcome.ROLLED_BACK)
    assert site.ledger.champions.champion(NAME).run_id == runs[cloud]
    assert site.targets.of("hub-vm", NAME).there == {first.run_id}


def test_a_model_that_fails_everywhere_is_taken_back_by_itself(site: World, folder: Path) -> None:
    first = run(site, 1)
    deploy(site, folder, strategy=CANARY)
    worse_than_before(site, "hub-vm", "cloud")
    second = run(site, 2)

    assert (second.outcome, second.job_failed) == (Outcome.ROLLED_BACK, True)
    assert serves(site) == {"hub-vm": {first.run_id: 100}, "cloud": {first.run_id: 100}}
    assert site.ledger.champions.champion(NAME).run_id == first.run_id
    desired = site.ledger.targets.of("cloud", NAME).desired
    assert desired is not None
    assert {release.run_id: release.weight for release in desired.releases} == {first.run_id: 100}


@pytest.mark.parametrize("approved", [True, False])
def test_somebody_decides(site: World, folder: Path, approved: bool) -> None:
    first = run(site, 1)
    deploy(site, folder, approval={"hours": 1})

    def decide(activity: str, moment: str) -> None:
        if (activity, moment) == ("announce", "after"):
            newest = site.ledger.runs.list_runs([NAME], limit=1).items[0].run_id
            for target in TARGETS:
                site.ledger.approvals.decide(
                    Approval(run_id=newest, target=target["name"], approved=approved, by="ada", at=site.clock.now())
                )

    def once_asked(activity: str, moment: str) -> None:
        if [kind for _, kind in site.services.outbox.announced].count("approval_wanted") >= len(TARGETS):
            decide(activity, moment)

    site.fault = once_asked
    second = run(site, 2, seconds=4000)

    assert second.outcome is (Outcome.PROMOTED if approved else Outcome.NOT_PROMOTED)
    expected = second.run_id if approved else first.run_id
    assert serves(site) == {"hub-vm": {expected: 100}, "cloud": {expected: 100}}
    assert [result.approval.by for result in second.targets if result.approval] == ["ada", "ada"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("activity", ["apply_plan", "observe_target"])
def test_calls_that_fail_or_whose_answers_get_lost_change_nothing(
    site: World, folder: Path, activity: str, moment: str
) -> None:
    run(site, 1)
    deploy(site, folder, strategy=CANARY)
    count = 0

    def every_third(name: str, when: str) -> None:
        nonlocal count
        if (name, when) == (activity, moment):
            count += 1
            if count % 3 == 0:
                raise LostAnswerError("no route to host")

    site.fault = every_third
    second = run(site, 2)

    assert count > 3
    assert second.outcome is Outcome.PROMOTED
    assert is_delivered(site, second)


def test_a_host_that_is_killed_again_and_again_goes_on_where_it_was(site: World, folder: Path) -> None:
    run(site, 1)
    deploy(site, folder, strategy=CANARY)
    site.upload(NAME, "landing/part-2.csv")
    site.request(NAME, "http-2")
    for number in range(300):
        site.advance(timedelta(seconds=3))
        if number % 7 == 0:
            site.restart()
        newest = site.ledger.runs.list_runs([NAME], limit=1).items[0]
        if newest.outcome is not None and newest.attempt and len(site.ledger.runs.list_runs([NAME]).items) == 2:
            break

    assert newest.outcome is Outcome.PROMOTED
    assert is_delivered(site, newest)
