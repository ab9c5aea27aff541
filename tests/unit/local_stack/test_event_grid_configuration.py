from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from local_stack.event_grid.models import Config, Schema, subscription_from
from local_stack.supervisor.blueprint import PORTS, Blueprint
from local_stack.supervisor.credentials import Credentials
from local_stack.supervisor.event_grid import configuration, data_arrival, webhook
from local_stack.supervisor.layout import Layout
from shared.wire_contracts.blob_events import arrival_from
from tests.support.arrivals import a_blob_created
from tests.support.workflow import START


@pytest.fixture
def plan(tmp_path: Path) -> Blueprint:
    ports = {name: 20_000 + number for number, name in enumerate(PORTS)}
    return Blueprint(Layout.at(tmp_path), tmp_path / "cache", "an-id", ports, Credentials())


def test_the_stand_in_takes_it(plan: Blueprint) -> None:
    config = Config.model_validate(configuration(plan))

    assert {topic.name: topic.input_schema for topic in config.topics} == {
        "announcements": Schema.CLOUD_EVENTS,
        "arrivals": Schema.EVENT_GRID,
        "azure-ml": Schema.EVENT_GRID,
    }
    assert {one.topic: one.filter.included_event_types for one in config.subscriptions} == {
        "arrivals": ("Microsoft.Storage.BlobCreated",),
        "azure-ml": (
            "Microsoft.MachineLearningServices.RunCompleted",
            "Microsoft.MachineLearningServices.RunStatusChanged",
        ),
    }


def test_events_go_to_the_function_with_the_key_that_the_host_is_given(plan: Blueprint) -> None:
    functions = {}
    for subscription in Config.model_validate(configuration(plan)).subscriptions:
        address = urlsplit(subscription.endpoint)
        query = parse_qs(address.query)
        functions[subscription.topic] = query["functionName"]

        assert address.port == plan.ports["functions_host"]
        assert query["code"] == [plan.credentials.webhook_key]
        assert plan.credentials.webhook_key not in repr(subscription)
    assert functions == {"arrivals": ["on_data_arrival"], "azure-ml": ["on_training_status"]}


def test_the_app_takes_the_topic_for_the_hubs_account(plan: Blueprint) -> None:
    topics = Config.model_validate(configuration(plan)).topics
    source = next(topic.source for topic in topics if topic.name == "arrivals")

    arrival = arrival_from({**a_blob_created(), "topic": source}, received_at=START)

    assert arrival.account == plan.hub.name


def test_chaos_is_part_of_the_subscription(plan: Blueprint) -> None:
    endpoint = webhook(plan.host_url, "key")

    subscription = subscription_from("data-arrival", data_arrival(endpoint, {"drop": 0.1, "duplicates": 1}))

    assert (subscription.chaos.drop, subscription.chaos.duplicates) == (0.1, 1)
