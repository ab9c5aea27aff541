"""A run under way, as its orchestrations show it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from function_app.views import run_view
from shared.messages import Outcome, Stage
from tests.support.arrivals import a_run_record
from tests.support.durable_client import Instance, MemoryClient
from tests.support.workflow import START

RUN = a_run_record(outcome=None)
SINCE = START.isoformat()


def shown(**instances: Any) -> Any:
    client = MemoryClient(instances={name: Instance(custom_status=custom) for name, custom in instances.items()})
    return asyncio.run(run_view(client, RUN))


def test_a_run_that_ended_is_its_record() -> None:
    ended = replace(RUN, outcome=Outcome.PROMOTED, stage=Stage.DONE)

    view = asyncio.run(run_view(MemoryClient(), ended))

    assert (view.outcome, view.stage, view.since, view.progress) == (Outcome.PROMOTED, Stage.DONE, None, None)


def test_a_run_nobody_has_started_yet_is_accepted() -> None:
    assert (shown().stage, shown().progress) == (Stage.ACCEPTED, None)


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


@pytest.mark.parametrize(
    "custom", ["text", None, {}, {"stage": "of another version", "since": "then", "progress": "half"}, {"since": 7}]
)
def test_what_is_not_understood_is_left_out(custom: Any) -> None:
    view = shown(**{RUN.run_id: custom})

    assert (view.stage, view.since, view.progress) == (Stage.ACCEPTED, None, None)
