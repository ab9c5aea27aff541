"""A run under way, as its orchestrations show it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from function_app.api.run_views import listed, run_view
from shared.errors import TransientError
from shared.messages import FailureKind, Outcome, Stage
from tests.support.api import MemoryServices
from tests.support.arrivals import a_run_record
from tests.support.builders import a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.workflow import START

RUN = a_run_record(outcome=None)
SINCE = START.isoformat()


def shown(**instances: Any) -> Any:
    client = MemoryClient(
        instances={
            name: Instance(custom_status=custom, runtime_status=RuntimeStatus.Running)
            for name, custom in instances.items()
        }
    )
    return asyncio.run(run_view(client, MemoryServices(), RUN))


def test_a_run_that_ended_is_its_record() -> None:
    ended = replace(RUN, outcome=Outcome.PROMOTED, stage=Stage.DONE)

    view = asyncio.run(run_view(MemoryClient(), MemoryServices(), ended))

    assert (view.outcome, view.stage, view.since, view.progress) == (Outcome.PROMOTED, Stage.DONE, None, None)


def test_a_run_nobody_has_started_yet_is_accepted() -> None:
    assert (shown().stage, shown().progress) == (Stage.ACCEPTED, None)


@pytest.mark.parametrize("silent", [RUN.run_id, f"{RUN.run_id}-training"])
def test_a_host_that_does_not_say_how_a_run_is_is_no_run_that_nobody_has_started(silent: str) -> None:
    custom = {"stage": "training", "since": SINCE, "progress": {"details": f"{RUN.run_id}-training"}}
    running = Instance(custom_status=custom, runtime_status=RuntimeStatus.Running)
    client = MemoryClient(instances={RUN.run_id: running, silent: Instance(message="500: the host is starting")})

    with pytest.raises(TransientError, match="status of orchestration"):
        asyncio.run(run_view(client, MemoryServices(), RUN))


def test_a_list_is_not_made_of_what_the_host_did_not_say() -> None:
    client = MemoryClient(instances={RUN.run_id: Instance(message="500: the host is starting")})

    with pytest.raises(TransientError, match="status of orchestration"):
        asyncio.run(listed(client, MemoryServices(), [RUN]))


def test_a_waiting_run_shows_its_place_in_the_queue() -> None:
    queue = f"{RUN.run_id}-compute"
    view = shown(
        **{
            RUN.run_id: {"stage": "waiting", "since": SINCE, "progress": {"details": queue}},
            queue: {"stage": "waiting", "since": SINCE, "progress": {"position": 2, "reason": "r-1 holds hub-vm"}},
        }
    )

    assert (view.stage, view.since) == (Stage.WAITING, START)
    assert view.progress == {"details": queue, "position": 2, "reason": "r-1 holds hub-vm"}


def test_a_roll_out_shows_what_each_target_does() -> None:
    view = shown(
        **{
            RUN.run_id: {"stage": "rolling_out", "since": SINCE, "progress": {"targets": ["vm-1", "vm-2"]}},
            f"{RUN.run_id}-vm-1": {"progress": {"doing": "verifying"}},
        }
    )

    assert view.progress == {"targets": {"vm-1": "verifying", "vm-2": "waiting"}, "doing": "verifying, waiting"}


def test_a_roll_out_of_today_is_looked_for_under_the_id_that_the_run_names() -> None:
    ids = {"image": f"{RUN.run_id}-target-image"}
    view = shown(
        **{
            RUN.run_id: {
                "stage": "rolling_out",
                "since": SINCE,
                "progress": {"targets": ["image"], "details": ids},
            },
            f"{RUN.run_id}-image": {"progress": {"doing": "something else"}},
            f"{RUN.run_id}-target-image": {"progress": {"doing": "verifying"}},
        }
    )

    assert view.progress == {"targets": {"image": "verifying"}, "doing": "verifying", "details": ids}


def test_a_roll_out_by_plans_shows_its_phase_and_its_canarys_numbers() -> None:
    canary = {"target": "vm", "doing": "canary with 5 % of the traffic", "phase": "canary", "weight": 5, "requests": 31}
    view = shown(
        **{
            RUN.run_id: {
                "stage": "rolling_out",
                "since": SINCE,
                "progress": {"targets": ["vm", "cloud"], "details": {"vm": "id-1", "cloud": "id-2"}},
            },
            "id-1": {"progress": canary},
        }
    )

    assert view.progress is not None
    assert view.progress["roll_outs"] == {"vm": {"phase": "canary", "weight": 5, "requests": 31}, "cloud": {}}


@pytest.mark.parametrize(
    "custom", ["text", None, {}, {"stage": "of another version", "since": "then", "progress": "half"}, {"since": 7}]
)
def test_what_is_not_understood_is_left_out(custom: Any) -> None:
    view = shown(**{RUN.run_id: custom})

    assert (view.stage, view.since, view.progress) == (Stage.ACCEPTED, None, None)


def test_a_list_shows_the_stage_that_the_orchestration_is_in_not_the_one_of_the_claim() -> None:
    """The ledger has a run as accepted from its claim to its outcome."""
    services = MemoryServices()
    services.ledger.runs.claim_run(a_run_request())
    (claimed,) = services.ledger.runs.list_runs([RUN.pipeline]).items
    running = Instance(
        runtime_status=RuntimeStatus.Running, custom_status={"stage": "training", "since": SINCE, "progress": {}}
    )

    (shown,) = asyncio.run(listed(MemoryClient(instances={RUN.run_id: running}), services, [claimed]))

    assert (claimed.stage, claimed.reason) == (Stage.ACCEPTED, "claimed")
    assert (shown.stage, shown.since, shown.reason) == (Stage.TRAINING, START, "it is under way")


def test_a_run_whose_orchestration_is_gone_is_not_shown_as_under_way() -> None:
    custom = {"stage": "training", "since": SINCE, "progress": {}}
    dead = MemoryClient(instances={RUN.run_id: Instance(runtime_status=RuntimeStatus.Failed, custom_status=custom)})

    (in_list,) = asyncio.run(listed(dead, MemoryServices(), [RUN]))
    alone = asyncio.run(run_view(dead, MemoryServices(), RUN))

    assert in_list.reason == alone.reason
    assert alone.reason.startswith("it stopped (Failed)")


def test_a_run_that_failed_for_trouble_outside_says_when_it_is_tried_again() -> None:
    services = MemoryServices()
    services.ledger.retries.plan(RUN.run_id, RUN.pipeline, START)
    failed = replace(RUN, outcome=Outcome.FAILED, failure_kind=FailureKind.OUTSIDE)
    other = replace(failed, run_id=f"{RUN.run_id}-other")

    views = asyncio.run(listed(MemoryClient(), services, [failed, other]))

    assert [view.next_try_at for view in views] == [START, None]
    assert asyncio.run(run_view(MemoryClient(), services, failed)).next_try_at == START


def test_a_list_asks_the_host_only_of_runs_that_go_on() -> None:
    asked: list[str] = []

    class Client(MemoryClient):
        async def get_status(self, instance_id: str) -> Instance:
            asked.append(instance_id)
            return Instance()

    ended = [replace(RUN, run_id=f"r-{number}", outcome=Outcome.PROMOTED) for number in range(50)]
    asyncio.run(listed(Client(), MemoryServices(), [*ended, RUN]))

    assert asked == [RUN.run_id]


@pytest.mark.parametrize(
    "progress",
    [
        {"targets": ["vm-1"], "details": ["vm-1"]},
        {"targets": ["vm-1"], "details": {"vm-2": "other"}},
        {"targets": ["vm-1", {"name": "vm-2"}]},
    ],
)
@pytest.mark.parametrize(
    "child", [{"progress": "verifying"}, {"progress": {"doing": ["verifying"]}}, {"progress": None}]
)
def test_what_another_version_says_of_a_roll_out_is_left_where_it_is_not_understood(
    progress: dict[str, Any], child: dict[str, Any]
) -> None:
    view = shown(
        **{
            RUN.run_id: {"stage": "rolling_out", "since": SINCE, "progress": progress},
            f"{RUN.run_id}-vm-1": child,
        }
    )

    assert view.progress["targets"] == {"vm-1": "waiting"}


def test_a_stage_of_another_kind_is_left() -> None:
    assert shown(**{RUN.run_id: {"stage": ["training"], "since": SINCE}}).stage is Stage.ACCEPTED
