"""What is wrong with a pipeline is kept while it is so, told once, and forgotten when it is over."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from function_app.reconciler.cycle import run_cycle
from shared.alert_lines import SILENT_AFTER, SITE_SILENT
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Trouble, TroubleKind
from shared.messages.listings import Listing
from shared.pipelines import Pipeline
from tests.support.durable_client import RuntimeStatus
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.unit.function_app.reconciler.paged_hub import CYCLE, PagedHub

NO_HOLDOUT = PermanentError("site factory has no hold-out c/h.csv; upload it", code=Code.NO_DATA)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, logger="function_app.reconciler.troubles"):
        yield caplog


def cycle(world: WatchedWorld, times: int = 1) -> None:
    for _ in range(times):
        asyncio.run(run_cycle(world.services, world.client, world.now))
        world.now += CYCLE


def kept(world: WatchedWorld, name: str = PIPELINE) -> list[TroubleKind]:
    return [trouble.kind for trouble in world.ledger.troubles.of(name)]


def said(log: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in log.records if entry.name == "function_app.reconciler.troubles"]


@pytest.mark.parametrize(
    ("error", "kind", "failed"),
    [
        (NO_HOLDOUT, TroubleKind.NO_DATA, 0),
        (PermanentError("site factory has no container c; create it", code=Code.NO_DATA), TroubleKind.NO_DATA, 0),
        (TransientError("the blob storage of site factory did not answer"), TroubleKind.UNREACHABLE, 1),
        (PermanentError("refused (403); check X", code=Code.BAD_CONFIGURATION), TroubleKind.REFUSED, 1),
        (PermanentError("the listing breaks off", code=Code.UNREADABLE_NAMES), TroubleKind.UNREADABLE_NAMES, 0),
        (RuntimeError("a bug"), TroubleKind.FAULT, 1),
    ],
)
def test_it_is_kept_with_its_date_logged_once_and_forgotten(
    world: WatchedWorld, hub: PagedHub, log: pytest.LogCaptureFixture, error: Exception, kind: TroubleKind, failed: int
) -> None:
    hub.lands("a.csv")
    began, hub.trouble = world.now, error

    cycle(world, 3)

    [trouble] = world.ledger.troubles.of(PIPELINE)
    assert (trouble.kind, trouble.since) == (kind, began)
    assert trouble.remedy
    assert said(log) == [f"pipeline {PIPELINE}: {trouble.cause}; {trouble.remedy}"]
    context = asyncio.run(run_cycle(world.services, world.client, world.now))
    assert context.failed == failed

    hub.trouble = None
    cycle(world)

    assert kept(world) == []
    assert said(log)[1:] == [f"pipeline {PIPELINE}: resolved: {trouble.cause}"]


def test_a_site_that_is_silent_for_an_hour_is_told_of_in_every_cycle_until_it_answers(
    world: WatchedWorld, hub: PagedHub, log: pytest.LogCaptureFixture
) -> None:
    hub.lands("a.csv")
    hub.trouble = TransientError("the blob storage of site factory did not answer")

    cycle(world, round(SILENT_AFTER / CYCLE))

    assert not any(line.startswith(SITE_SILENT) for line in said(log))
    cycle(world, 2)
    alerts = [line for line in said(log) if line.startswith(SITE_SILENT)]
    assert len(alerts) == 2
    assert f"pipeline {PIPELINE}, since " in alerts[0]
    hub.trouble = None
    cycle(world, 2)
    assert [line for line in said(log) if line.startswith(SITE_SILENT)] == alerts


def test_a_hub_whose_listing_breaks_off_was_reached(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    hub.trouble = TransientError("the blob storage of site factory did not answer")
    cycle(world)
    hub.trouble = PermanentError("the listing breaks off", code=Code.UNREADABLE_NAMES)
    cycle(world)

    assert [trouble.kind for trouble in world.ledger.troubles.of(PIPELINE)] == [TroubleKind.UNREADABLE_NAMES]


def test_words_that_change_with_every_answer_are_one_trouble(
    world: WatchedWorld, hub: PagedHub, log: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        hub.trouble = TransientError(f"did not answer: <Connection object at 0x{number}>")
        cycle(world)

    assert len(said(log)) == 1
    assert kept(world) == [TroubleKind.UNREACHABLE]


def test_another_cause_of_the_same_kind_is_another_trouble(
    world: WatchedWorld, hub: PagedHub, log: pytest.LogCaptureFixture
) -> None:
    hub.trouble = NO_HOLDOUT
    cycle(world)
    hub.trouble = PermanentError("site factory has no container c; create it", code=Code.NO_DATA)
    cycle(world)

    [trouble] = world.ledger.troubles.of(PIPELINE)
    assert trouble.cause == "site factory has no container c; create it"
    assert len(said(log)) == 3  # the one, the other, and that the one is over


def test_what_cannot_be_checked_now_stays_as_it_was(world: WatchedWorld, hub: PagedHub) -> None:
    hub.trouble = NO_HOLDOUT
    cycle(world)
    _, window = world.arrives()
    world.ledger.arrivals.close_window(window)
    world.has_instance(window.window_id, RuntimeStatus.Running)
    hub.trouble = None

    cycle(world)  # its window is being decided on: nobody looks at its data meanwhile

    assert kept(world) == [TroubleKind.NO_DATA]


def test_files_that_are_none_and_pipelines_that_are_gone_are_named(
    world: WatchedWorld, hub: PagedHub, log: pytest.LogCaptureFixture
) -> None:
    hub.trouble = NO_HOLDOUT
    run = world.claims()
    cycle(world)
    world.has_file(PIPELINE, "name: [")
    (world.folder / "other.yml").write_text("name: other")
    world.has_file("empty", "")

    cycle(world, 2)

    assert kept(world) == [TroubleKind.BROKEN_FILE]
    assert kept(world, "other.yml") == kept(world, "empty") == [TroubleKind.BROKEN_FILE]
    assert sum("other.yml: is not read; rename it to other.yaml" in line for line in said(log)) == 1

    (world.folder / "other.yml").unlink()
    world.has_file("empty", None)
    world.has_file(PIPELINE, None)
    gone_at = world.now
    cycle(world, 2)

    [trouble] = world.ledger.troubles.of(run.pipeline)
    assert (trouble.kind, trouble.since) == (TroubleKind.REMOVED, gone_at)
    assert set(world.ledger.troubles.all()) == {run.pipeline}
    world.has_pipeline(PIPELINE)
    hub.trouble = None
    hub.lands("a.csv")
    cycle(world)
    assert world.ledger.troubles.all() == {}


def test_pipelines_that_share_blobs_are_named_and_train(world: WatchedWorld, hub: PagedHub) -> None:
    world.has_pipeline("twin", deliver={"model": "twin", "targets": [{"name": "hub-vm"}]})
    hub.lands("a.csv")

    cycle(world)

    assert kept(world) == kept(world, "twin") == [TroubleKind.OVERLAP]
    assert len(world.ledger.arrivals.unfinished_windows()) == 2


def test_many_that_share_the_same_blobs_still_fit_a_row(world: WatchedWorld, hub: PagedHub) -> None:
    for number in range(30):
        world.has_pipeline(f"p{number}", deliver={"model": f"p{number}", "targets": [{"name": "hub-vm"}]})
    hub.lands("a.csv")

    cycle(world)

    assert [trouble.cause for trouble in world.ledger.troubles.of(PIPELINE)][-1] == "and 27 more of that kind"


def test_a_window_that_cannot_be_decided_on_says_why_until_it_is(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    _, window = world.arrives()
    world.now += timedelta(minutes=10)
    failed = "Orchestrator function 'settle_arrivals' failed: the hub did not answer"
    world.has_instance(window.window_id, RuntimeStatus.Failed, output=failed)
    cycle(world)

    [trouble] = world.ledger.troubles.of(PIPELINE)
    assert trouble.cause == f"window {window.window_id} could not be decided on: the hub did not answer"

    world.client.instances[window.window_id].runtime_status = RuntimeStatus.Running
    cycle(world)
    assert kept(world) == [TroubleKind.UNDECIDED]  # it is being tried again

    world.ledger.arrivals.close_window(window)
    world.ledger.arrivals._windows.finished(window.window_id)
    cycle(world)
    assert kept(world) == []


def test_blobs_that_are_left_out_for_their_names_are_named(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    listing = hub.listing

    def with_some(pipeline: Pipeline, *, newer_than: datetime | None = None) -> Listing:
        return replace(listing(pipeline, newer_than=newer_than), unreadable=r"a\x0bb.csv")

    hub.listing = with_some  # type: ignore[method-assign]
    cycle(world, 3)  # the later looks are quick ones

    [trouble] = world.ledger.troubles.of(PIPELINE)
    assert trouble.cause == r"left out for their names: a\x0bb.csv"

    hub.listing = listing  # type: ignore[method-assign]
    world.now += timedelta(hours=1)
    cycle(world)
    assert kept(world) == []


def test_a_ledger_that_fails_stops_nothing(world: WatchedWorld, hub: PagedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, tuple[Trouble, ...]]:
        raise TransientError("the ledger did not answer")

    monkeypatch.setattr(world.ledger.troubles, "all", away)
    hub.lands("a.csv")

    context = asyncio.run(run_cycle(world.services, world.client, world.now))

    assert (context.failed, context.done) == (1, {"windows opened": 1})
