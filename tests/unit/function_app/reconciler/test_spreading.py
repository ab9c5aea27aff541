"""Many pipelines: what comes due is looked at over several cycles, and a site that is silent holds nobody else up."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from function_app.reconciler.data_changes import AT_ONCE
from shared.decisions.reconciliation.spreading import AT_LEAST, earlier, room
from shared.errors import TransientError, UnansweredError
from shared.messages import TroubleKind
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline

HOUR = timedelta(hours=1)
SILENT, HEALTHY = "silent", "healthy"
MANY = 12


def test_few_are_all_looked_at_and_many_within_four_cycles() -> None:
    assert room(2) == AT_LEAST == room(80)
    for known in (81, 200, 1000):
        assert room(known) < known <= 4 * room(known)


def test_names_come_due_at_moments_of_their_own() -> None:
    shifts = [earlier(f"pipeline-{number}", HOUR) for number in range(200)]

    assert all(timedelta(0) <= shift < HOUR / 4 for shift in shifts)
    by_minutes = Counter(shift // timedelta(minutes=3) for shift in shifts)
    assert max(by_minutes.values()) < len(shifts) / 2, "spread over the quarter of an hour"
    assert earlier("pipeline-7", HOUR) == shifts[7]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve pipelines of a site that does not answer, and one of another site."""
    files = tmp_path / "pipelines"
    files.mkdir()
    for number in range(MANY + 1):
        name = f"pipeline-{number:02}"
        values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
        values["data"]["site"] = SILENT if number < MANY else HEALTHY
        (files / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    made = World(files, tmp_path / "hub.sqlite")
    yield made
    made.close()


def test_a_site_that_does_not_answer_is_not_asked_about_all_of_its_pipelines(world: World) -> None:
    asked: Counter[str] = Counter()
    real = world.services.hubs

    def hub(site: str) -> Any:
        asked[site] += 1
        if site == SILENT:
            raise UnansweredError(f"the blob storage of site {site} does not answer")
        return real.hub(site)

    world.services.__dict__["hubs"] = SimpleNamespace(hub=hub)
    world.upload(f"pipeline-{MANY:02}", "holdout/holdout.csv")
    world.upload(f"pipeline-{MANY:02}", "landing/part-1.csv")

    context = world.watch()

    assert 1 <= asked[SILENT] <= AT_ONCE
    assert context.done["windows opened"] == 1, "the other site's data was found"
    found = {
        name: {finding.kind for each in aspects.values() for finding in each}
        for name, aspects in context.findings.items()
    }
    assert all(found[f"pipeline-{number:02}"] == {TroubleKind.UNREACHABLE} for number in range(MANY))
    world.watch()
    assert asked[SILENT] > 1, "it is asked again in the next cycle"


def test_trouble_of_one_pipeline_keeps_no_other_of_its_site_from_being_looked_at(world: World) -> None:
    asked: Counter[str] = Counter()

    def hub(site: str) -> Any:
        asked[site] += 1
        raise TransientError(f"the blob storage of site {site} answered 500")

    world.services.__dict__["hubs"] = SimpleNamespace(hub=hub)

    world.watch()

    assert asked[SILENT] >= MANY
