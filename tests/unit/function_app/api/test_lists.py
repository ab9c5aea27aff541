"""What the ledger and the pipelines' files show, page by page."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from function_app.api import models as m
from shared.errors import Code, PermanentError
from shared.messages import (
    Champion,
    FailedAttempt,
    Outcome,
    Quarantine,
    RejectedEvent,
    Trouble,
    TroubleKind,
    Verdict,
    WindowVerdict,
)
from shared.values.wire import to_wire
from tests.support.api import PIPELINES, MemoryServices, a_request, answer_of
from tests.support.arrivals import an_arrival
from tests.support.builders import a_run_request
from tests.support.durable_client import MemoryClient
from tests.support.ledger_arrivals import join
from tests.support.workflow import START

PIPELINE = "breast-cancer"


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def a_run(services: MemoryServices, pipeline: str, number: int, outcome: Outcome | None = None) -> str:
    """A claimed run, asked for ``number`` minutes after the start."""
    fingerprint = f"{number:064x}"
    run_id = f"{pipeline}-{fingerprint[:12]}-{number}"
    asked = START + timedelta(minutes=number)
    request = a_run_request(
        run_id=run_id, pipeline=pipeline, fingerprint=fingerprint, requested_by=run_id, requested_at=asked
    )
    services.ledger.runs.claim_run(request)
    record = services.ledger.runs.run(run_id)
    assert record is not None
    if outcome is not None:
        services.ledger.runs.record_run(replace(record, outcome=outcome, reason="worse"))
    return run_id


def runs_page(request: Any, services: MemoryServices) -> m.RunsPage:
    """The list of runs, of which none is alive."""
    page: m.RunsPage = answer_of("list_runs", request, services, MemoryClient())
    return page


def a_pipeline_view(request: Any, services: MemoryServices) -> Any:
    """A pipeline, of whose runs none is alive."""
    return answer_of("get_pipeline", request, services, MemoryClient())


def arrivals_page(request: Any, services: MemoryServices) -> m.ArrivalsPage:
    """What arrived for a pipeline."""
    page: m.ArrivalsPage = answer_of("list_arrivals", request, services)
    return page


def strays_page(request: Any, services: MemoryServices) -> m.StraysPage:
    """What concerns no pipeline."""
    page: m.StraysPage = answer_of("list_strays", request, services)
    return page


def ids(page: m.RunsPage) -> list[str]:
    return [run.run_id for run in page.runs]


def test_runs_of_all_pipelines_come_newest_first_and_in_pages(services: MemoryServices) -> None:
    runs = [a_run(services, pipeline, number) for number, pipeline in enumerate([PIPELINE, "digits"] * 3, 1)]

    first = runs_page(a_request(limit="4"), services)
    second = runs_page(a_request(limit="4", continuation=str(first.continuation)), services)

    assert ids(first) + ids(second) == runs[::-1]
    assert second.continuation is None


def test_runs_are_chosen_by_pipeline_outcome_and_time(services: MemoryServices) -> None:
    failed = a_run(services, PIPELINE, 1, Outcome.FAILED)
    promoted = a_run(services, PIPELINE, 2, Outcome.PROMOTED)
    other = a_run(services, "digits", 3, Outcome.FAILED)

    def chosen(**params: Any) -> list[str]:
        return ids(runs_page(a_request(**params), services))

    assert chosen(pipeline=PIPELINE) == [promoted, failed]
    assert chosen(outcome="failed") == [other, failed]
    assert chosen(since="2026-05-01T10:02:00Z") == [other, promoted]
    assert chosen(since="2026-05-02") == []
    assert chosen(pipeline="digits", outcome="promoted") == []


@pytest.mark.parametrize(
    ("page", "more"),
    [
        (runs_page, {}),
        (arrivals_page, {}),
        (strays_page, {"kind": "outside"}),
        (strays_page, {"kind": "rejected"}),
    ],
)
@pytest.mark.parametrize("token", ["x", "a-1", "t-", "\udcff", "r-000000000000000000-x", "a-٣"])
def test_a_token_that_no_list_gave_is_refused(
    services: MemoryServices, page: Any, more: dict[str, Any], token: str
) -> None:
    with pytest.raises(PermanentError, match="continuation") as caught:
        page(a_request(path=PIPELINE, continuation=token, **more), services)

    assert caught.value.code is Code.BAD_REQUEST


def test_an_unknown_pipeline_is_named_with_the_known_ones(services: MemoryServices) -> None:
    known = ", ".join(sorted(pipeline.name for pipeline in services.pipelines.all))
    for view in (arrivals_page, a_pipeline_view):
        with pytest.raises(PermanentError, match=f"there is no pipeline 'none'; known: {known}") as caught:
            view(a_request(path="none"), services)
        assert caught.value.code is Code.UNKNOWN_PIPELINE
    with pytest.raises(PermanentError, match="there is no pipeline 'none'"):
        runs_page(a_request(pipeline="none"), services)


def test_pipelines_are_shown_with_their_champions_and_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text((PIPELINES / "digits.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "garbled.yaml").write_text("name: [", encoding="utf-8")
    services = MemoryServices(tmp_path)
    champion = Champion(pipeline="digits", run_id="digits-1", model="digits", version="3")
    services.ledger.champions.crown(champion, since=START)
    gone = a_run(services, "garbled", 1)

    shown = to_wire(answer_of("list_pipelines", a_request(), services))

    (digits,) = shown["pipelines"]
    assert (digits["name"], digits["data"]["container"], digits["champion"]["version"]) == ("digits", "digits", "3")
    assert "not valid YAML" in shown["broken"]["garbled"]
    assert ids(runs_page(a_request(), services)) == [gone], "its runs are still there"


def test_a_pipeline_shows_its_window_quarantines_and_runs(services: MemoryServices) -> None:
    run_id = a_run(services, PIPELINE, 1, Outcome.FAILED)
    join(services.ledger.arrivals, PIPELINE, an_arrival())
    services.ledger.quarantines.put(a_quarantine())
    services.ledger.quarantines.put(a_quarantine(fingerprint="ee" * 32, released_at=START))

    shown = a_pipeline_view(a_request(path=PIPELINE), services)

    assert isinstance(shown, m.PipelineDetail)
    assert shown.champion is None
    assert shown.window is not None
    assert (shown.window.arrivals, shown.window.size) == (1, 1234)
    assert "2026-05-01 10:00:00 UTC" in shown.window.closing
    assert [kept.fingerprint for kept in shown.quarantines] == ["ab" * 32]
    assert [run.run_id for run in shown.runs] == [run_id]
    assert to_wire(shown)["train"]["folder"] == "breast_cancer"


def test_a_quiet_pipeline_has_no_window(services: MemoryServices) -> None:
    joined = join(services.ledger.arrivals, PIPELINE, an_arrival())
    assert joined.start is not None
    services.ledger.arrivals.close_window(joined.start)
    join(services.ledger.arrivals, "digits", an_arrival(container="digits"))

    shown = a_pipeline_view(a_request(path=PIPELINE), services)

    assert isinstance(shown, m.PipelineDetail)
    assert (shown.window, shown.quarantines, shown.runs) == (None, (), ())


def test_every_arrival_has_its_verdict_and_a_sentence(services: MemoryServices) -> None:
    ledger = services.ledger.arrivals
    joined = join(ledger, PIPELINE, an_arrival())
    join(ledger, PIPELINE, an_arrival(event_id="2", received_at=START + timedelta(seconds=3)))

    def shown() -> list[tuple[Verdict, str, str | None]]:
        page = arrivals_page(a_request(path=PIPELINE), services)
        return sorted((entry.verdict, entry.reason, entry.run_id) for entry in page.arrivals)

    assert shown() == [
        (Verdict.DUPLICATE, "duplicate of an event seen 3 s earlier", None),
        (Verdict.JOINED, "joined a group of files; whether they are trained is not decided yet", None),
    ]
    ledger.record_verdict(
        WindowVerdict(
            window_id=str(joined.window_id), pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="in run r", run_id="r"
        )
    )
    assert shown()[1] == (Verdict.TRAINED, "in run r", "r")


def test_strays_are_listed_by_kind(services: MemoryServices) -> None:
    ledger = services.ledger.arrivals
    ledger.record_all_outside([(an_arrival(container="attic"), "outside every pipeline: container is attic")])
    ledger.record_rejected(RejectedEvent(event_id="e", reason="event: id is missing", received_at=START, text="{}"))

    outside = strays_page(a_request(kind="outside"), services)
    rejected = strays_page(a_request(kind="rejected"), services)

    assert [(entry.container, entry.verdict) for entry in outside.arrivals] == [("attic", Verdict.OUTSIDE)]
    assert outside.rejected == ()
    assert [event.reason for event in rejected.rejected] == ["event: id is missing"]
    assert rejected.arrivals == ()


def a_quarantine(**changes: Any) -> Quarantine:
    quarantine = Quarantine(
        pipeline=PIPELINE,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        since=START,
        failures=(FailedAttempt(run_id="r-1", reason="training: line 3"),),
    )
    return replace(quarantine, **changes)


def test_a_removed_pipeline_keeps_its_runs_and_arrivals_and_says_since_when(tmp_path: Path) -> None:
    services = MemoryServices(tmp_path)
    run_id = a_run(services, PIPELINE, 1, Outcome.PROMOTED)
    join(services.ledger.arrivals, PIPELINE, an_arrival())
    gone = Trouble(kind=TroubleKind.REMOVED, cause="gone", remedy="none", since=START)

    before = a_pipeline_view(a_request(path=PIPELINE), services)
    services.ledger.troubles.keep(PIPELINE, (gone,))
    shown = a_pipeline_view(a_request(path=PIPELINE), services)

    assert isinstance(before, m.RemovedPipeline)
    assert isinstance(shown, m.RemovedPipeline)
    assert (before.since, shown.since, shown.champion) == (None, START, None)
    assert [run.run_id for run in shown.runs] == [run_id]
    assert shown.removed.startswith(f"pipeline {PIPELINE} was removed at 2026-05-01 10:00:00 UTC")
    assert ids(runs_page(a_request(pipeline=PIPELINE), services)) == [run_id]
    assert ids(runs_page(a_request(), services)) == [run_id]
    assert len(arrivals_page(a_request(path=PIPELINE), services).arrivals) == 1
    assert answer_of("list_pipelines", a_request(), services).removed == {PIPELINE: shown.removed}


def test_a_broken_pipeline_keeps_its_history_and_is_not_called_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PIPELINE}.yaml").write_text("name: [", encoding="utf-8")
    services = MemoryServices(tmp_path)
    with pytest.raises(PermanentError, match="not valid YAML"):
        runs_page(a_request(pipeline=PIPELINE), services)  # it has none
    run_id = a_run(services, PIPELINE, 1)

    assert ids(runs_page(a_request(pipeline=PIPELINE), services)) == [run_id]
    assert arrivals_page(a_request(path=PIPELINE), services).arrivals == ()
    assert answer_of("list_pipelines", a_request(), services).removed == {}
    with pytest.raises(PermanentError, match="not valid YAML"):
        a_pipeline_view(a_request(path=PIPELINE), services)


@pytest.mark.parametrize("name", ["never-was", "a/b", "_pipelines", "A", "x" * 200, "\x0b", "a'b"])
def test_what_never_was_is_still_unknown(services: MemoryServices, name: str) -> None:
    for view in (arrivals_page, a_pipeline_view):
        with pytest.raises(PermanentError, match="there is no pipeline") as caught:
            view(a_request(path=name), services)
        assert caught.value.code is Code.UNKNOWN_PIPELINE


def test_what_is_wrong_with_a_pipeline_is_in_both_its_views(services: MemoryServices) -> None:
    missing = Trouble(kind=TroubleKind.NO_DATA, cause="no hold-out", remedy="upload it", since=START)
    services.ledger.troubles.keep(PIPELINE, (missing,))

    listed = {view.name: view.troubles for view in answer_of("list_pipelines", a_request(), services).pipelines}
    shown = a_pipeline_view(a_request(path=PIPELINE), services)

    assert isinstance(shown, m.PipelineDetail)
    assert shown.troubles == listed[PIPELINE] == (missing,)
    assert {troubles for name, troubles in listed.items() if name != PIPELINE} == {()}
