"""The preflight's body: what is wrong refuses, what is unknown does not, and only what concerns the run is asked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.doctor import preflight as module
from function_app.doctor.preflight import preflight
from shared.clients.ledger import Ledger
from shared.decisions.admission.run_plan import needs_the_same, plan_of
from shared.doctor import Check, Kind, Seen, ok, unknown, wrong
from shared.errors import Code, PermanentError
from shared.messages import Done, FrozenJob, Preflight, RunRequest
from shared.pipelines import Pipeline, parse_pipeline
from shared.pipelines.training import Resources
from shared.values.wire import from_text, to_text
from tests.support.builders import a_run_request, a_snapshot
from tests.support.memory_tables import MemoryTables
from tests.support.service_process import ROOT

JOB = FrozenJob(folder="breast_cancer", tree="ab" * 32)
PIPELINE = parse_pipeline((ROOT / "pipelines" / "breast-cancer.yaml").read_text(encoding="utf-8"), source="x.yaml")
SNAPSHOT = a_snapshot(site=PIPELINE.data.site, container=PIPELINE.data.container)
REQUEST = a_run_request(plan=plan_of(PIPELINE, JOB), snapshot=SNAPSHOT)
ORDER = Preflight(run_id=REQUEST.run_id, pipeline="breast-cancer", site="factory", compute="hub-vm", job=JOB)
FIRST = ["", "factory", "hub-vm"]


def services_with(pipeline: Pipeline = PIPELINE, request: RunRequest | None = REQUEST) -> Any:
    """The pipeline as it is deployed, and the run as it was admitted."""
    ledger = Ledger.over(MemoryTables())
    if request is not None:
        ledger.runs.claim_run(request)
    return SimpleNamespace(
        settings=SimpleNamespace(model_dump=dict),
        ledger=ledger,
        pipelines=SimpleNamespace(get=lambda _: pipeline),
        job_folders=SimpleNamespace(read=lambda _: SimpleNamespace(frozen=JOB)),
    )


def asked(
    monkeypatch: pytest.MonkeyPatch,
    see: Callable[[str], Seen],
    *,
    order: Preflight = ORDER,
    services: Any = None,
    for_runs: bool = True,
) -> list[str]:
    """Every subject that was asked about."""
    names: list[str] = []

    def look(_: Any, name: str) -> Seen:
        names.append(name)
        return see(name)

    checks = [
        Check(name=f"{kind.value}.x", about=kind, wanted="w", why="y", remedy="mend it", look=look, for_runs=for_runs)
        for kind in Kind
    ]
    monkeypatch.setattr(module, "every_check", lambda only: checks)
    assert preflight(order, services or services_with()) == Done()
    return sorted(names)


def test_it_asks_about_what_the_training_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, lambda _: ok("")) == ["", "breast-cancer", "factory", "hub-vm"]
    assert asked(monkeypatch, lambda _: ok(""), for_runs=False) == []


def test_what_is_deployed_since_is_not_held_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(ORDER, job=None)

    assert asked(monkeypatch, lambda _: ok(""), order=other) == FIRST


@pytest.mark.parametrize(
    "part",
    [
        {"data": {"site": "elsewhere"}},
        {"data": {"container": "another"}},
        {"data": {"holdout": "holdout/newer.csv"}},
        {"data": {"prefix": "arrivals/"}},
        {"train": {"compute": "another-vm"}},
        {"train": {"running_limit_seconds": 12.0}},
        {"train": {"resources": Resources(memory="64g")}},
    ],
)
def test_a_pipeline_that_says_something_else_since_is_not_held_against_it(
    monkeypatch: pytest.MonkeyPatch, part: dict[str, dict[str, Any]]
) -> None:
    [(section, changes)] = part.items()
    now = PIPELINE.model_copy(update={section: getattr(PIPELINE, section).model_copy(update=changes)})

    assert asked(monkeypatch, lambda _: ok(""), services=services_with(now)) == FIRST


def test_what_is_of_no_matter_to_a_training_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = PIPELINE.judge.model_copy(update={"floor": 0.1})
    now = PIPELINE.model_copy(update={"judge": judge})
    before = replace(REQUEST, plan=replace(REQUEST.plan, prefix="", holdout=""))

    for services in (services_with(now), services_with(PIPELINE, before)):
        assert asked(monkeypatch, lambda _: ok(""), services=services) == ["", "breast-cancer", "factory", "hub-vm"]


@pytest.mark.parametrize("file", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda file: file.stem)
def test_what_is_kept_of_a_run_is_what_its_file_says(file: Path) -> None:
    pipeline = parse_pipeline(file.read_text(encoding="utf-8"), source=file.name)
    snapshot = a_snapshot(site=pipeline.data.site, container=pipeline.data.container)
    kept = from_text(RunRequest, to_text(a_run_request(plan=plan_of(pipeline, JOB), snapshot=snapshot)))

    assert needs_the_same(pipeline, kept)


def test_of_a_run_that_the_ledger_does_not_know_no_pipeline_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, lambda _: ok(""), services=services_with(request=None)) == FIRST


def test_what_is_unknown_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, lambda _: unknown("fog"))


def test_what_is_wrong_stops_it_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError) as caught:
        asked(monkeypatch, lambda name: wrong("no right to list") if name in {"factory", "hub-vm"} else ok(""))

    assert caught.value.code is Code.NOT_READY
    assert caught.value.reason == (
        "site.x of site factory: no right to list; mend it; and 1 thing more: edgetrain doctor"
    )
