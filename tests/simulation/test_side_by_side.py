"""Two trainings of one pipeline end at the same time: the better model serves in the end, whoever came first."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from shared.messages import (
    BuiltImage,
    Done,
    Outcome,
    RegisteredModel,
    RunRecord,
    delivery_of,
)
from shared.training_driver import TrainingJob
from tests.simulation.world import LostAnswerError, World, world
from tests.support.arrivals import a_pipeline
from tests.support.ledger_arrivals import open_runs

NAME = "breast-cancer"
DELIVERED = {
    "register_model": RegisteredModel(name="m", version="1"),
    "build_image": BuiltImage(repository="r", digest="sha256:1", reference="r@sha256:1"),
    "issue_passport": Done(),
}
QUALITY = {"better": 0.95, "worse": 0.93, "none": 0.1}  # the last: what the reconciler finds by itself


@pytest.fixture
def site(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    pipeline = a_pipeline(NAME, container=NAME, parameters={"quality": "none"})
    values = pipeline.model_dump(mode="json", exclude_none=True)
    values["train"]["expected_seconds"] = 60
    values["judge"] |= {"metric": "accuracy", "direction": "higher", "floor": 0.5, "margin": 0.0}
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with world(folder) as made:
        made.services.compute.slots = 2
        made.driver.metrics_of = quality
        made.answers = DELIVERED
        made.upload(NAME, "holdout/holdout.csv")
        made.upload(NAME, "landing/part-1.csv")
        yield made


def quality(job: TrainingJob) -> dict[str, float]:
    parameters = json.loads(job.order)["parameters"].values()
    return {"accuracy": next(value for name, value in QUALITY.items() if name in parameters)}


def ended(site: World) -> list[RunRecord]:
    runs = site.ledger.runs.list_runs([NAME], limit=10).items
    return [run for run in runs if run.outcome is not None]


@pytest.mark.parametrize("order", [("better", "worse"), ("worse", "better")])
def test_each_is_judged_by_the_champion_of_its_moment_and_none_delivers_beside_another(
    site: World, order: tuple[str, str]
) -> None:
    steps: list[str] = []
    site.fault = lambda activity, moment: steps.append(activity) if moment == "before" else None

    for name in order:
        site.request(NAME, f"http-{name}", parameters={"quality": name})
    while len(ended(site)) < len(order):
        site.advance(timedelta(seconds=30))

    assert site.driver.most_at_once == len(order)
    champion = site.ledger.champions.champion(NAME)
    assert champion.metrics == {"accuracy": 0.95}
    deliveries = [step for step in steps if step in {"register_model", "record_run"}]
    assert "register_model, register_model" not in ", ".join(deliveries)
    (worse,) = (run for run in ended(site) if run.metrics == {"accuracy": 0.93})
    assert (worse.outcome is Outcome.PROMOTED) == (deliveries.count("register_model") == len(order))
    assert not site.ledger.computes.state(delivery_of(NAME)).holders


def test_a_run_whose_orchestration_is_gone_does_not_keep_others_from_delivering(site: World) -> None:
    def lost(activity: str, moment: str) -> None:
        if (activity, moment) == ("register_model", "before"):
            raise LostAnswerError("the registry is away")

    site.fault = lost
    site.request(NAME, "http-worse", parameters={"quality": "worse"})
    while not site.ledger.computes.state(delivery_of(NAME)).holders:
        site.advance(timedelta(seconds=5))
    (run,) = open_runs(site.ledger.runs, NAME)
    site.terminate(run.run_id)
    site.fault = lambda _activity, _moment: None
    site.request(NAME, "http-better", parameters={"quality": "better"})
    for _ in range(30):
        site.advance(timedelta(minutes=1))
        site.watch()

    outcomes = {record.metrics.get("accuracy"): record.outcome for record in ended(site)}
    assert outcomes == {0.95: Outcome.PROMOTED, 0.1: Outcome.NOT_PROMOTED, None: Outcome.CANCELLED}
    assert not site.ledger.computes.state(delivery_of(NAME)).holders


def test_a_run_that_is_overtaken_while_the_hold_out_is_replaced_is_compared_in_another_attempt(site: World) -> None:
    site.request(NAME, "http-worse", parameters={"quality": "worse"})
    site.advance(timedelta(seconds=35))
    site.upload(NAME, "holdout/holdout.csv")
    site.request(NAME, "http-better", parameters={"quality": "better"})
    while len(ended(site)) < len(QUALITY) - 1:
        site.advance(timedelta(seconds=30))

    (overtaken,) = (run for run in ended(site) if run.outcome is Outcome.NOT_PROMOTED)
    assert site.ledger.champions.champion(NAME).metrics == {"accuracy": 0.93}
    assert "became the champion while this one trained" in overtaken.reason
    for _ in range(10):
        site.advance(timedelta(minutes=1))
        site.watch()

    assert site.ledger.champions.champion(NAME).metrics == {"accuracy": 0.95}
    (promoted,) = (run for run in ended(site) if run.attempt > 1)
    assert (promoted.outcome, promoted.fingerprint) == (Outcome.PROMOTED, overtaken.fingerprint)
    assert promoted.champion_value == 0.93
