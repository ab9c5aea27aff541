"""Service Bus and Event Grid as parts of the stack, through the vendors' clients."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError

from local_stack.app_client import Landed
from local_stack.files import read_object
from local_stack.site_agent import site_agent
from local_stack.supervisor import Stack, catalog
from local_stack.upstream_client import upstream_client
from tests.support.local_stack import run_folder

PARTS = ("service_bus", "event_grid")
BLOB = Landed("breast-cancer", "landing/part-1.csv", "0x8D", 12)


@pytest.fixture(scope="module")
def messaging(stack_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with run_folder(tmp_path_factory) as folder, Stack.start(folder, only=PARTS) as running:
        yield running


def test_addresses_keys_and_messages_survive_both_being_killed(messaging: Stack) -> None:
    before = messaging.endpoints
    with upstream_client(before) as upstream, site_agent(before) as agent:
        upstream.ask({"schema": 1, "pipeline": "breast-cancer"}, message_id="before-the-kill")
        agent.publish_written([BLOB])
        pending = agent.deliveries()["pending"]

    for name in PARTS:
        messaging.kill(name)
        messaging.start_service(name)

    assert messaging.endpoints == before
    with upstream_client(before) as upstream, site_agent(before) as agent:
        assert agent.deliveries()["pending"] == pending > 0, "no host has taken them yet"
        upstream.ask({"schema": 1, "pipeline": "breast-cancer"})


def test_a_host_that_starts_while_they_are_stopped_still_gets_their_addresses(messaging: Stack) -> None:
    before = messaging.endpoints
    for name in PARTS:
        messaging.stop_service(name)
    try:
        assert messaging.endpoints == before
        assert before["event_grid"]["topics"]["announcements"]["key"]
    finally:
        for name in PARTS:
            messaging.start_service(name)


def test_a_topic_takes_events_with_its_own_key_only(messaging: Stack) -> None:
    endpoints = json.loads(json.dumps(messaging.endpoints))
    endpoints["event_grid"]["topics"]["arrivals"]["key"] = endpoints["event_grid"]["topics"]["announcements"]["key"]

    with site_agent(endpoints) as agent, pytest.raises(ClientAuthenticationError):
        agent.publish_written([BLOB])


def test_a_subscription_is_not_changed_when_the_webhook_does_not_agree(messaging: Stack) -> None:
    with site_agent(messaging.endpoints) as agent, pytest.raises(requests.HTTPError, match="validation"):
        agent.subscribe(drop=1.0)


def test_the_host_is_given_the_keys_of_people_and_of_its_webhook_and_keeps_its_others(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"

    catalog.give_keys(tmp_path, "people's", "new")
    assert read_object(keys) == {"host": {"default": "people's"}, "system": {"eventgrid_extension": "new"}}

    keys.write_text(json.dumps({"master": "m", "system": {"durabletask_extension": "d", "eventgrid_extension": "old"}}))
    catalog.give_keys(tmp_path, "people's", "new")
    assert read_object(keys) == {
        "master": "m",
        "host": {"default": "people's"},
        "system": {"durabletask_extension": "d", "eventgrid_extension": "new"},
    }
