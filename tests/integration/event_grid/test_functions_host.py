"""From the vendor's publisher to a function of an app, through the host's webhook."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.integration.event_grid.stand_in import EVENTS_TOPIC, StandIn, an_event
from tests.support.functions_host import HostProcess, running_host
from tests.support.service_process import eventually


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("functions-host") / "state", "--enforce-keys") as running:
        yield running


def webhook(host: HostProcess, function: str, key: str | None = None) -> str:
    code = host.endpoints["system_keys"]["eventgrid_extension"] if key is None else key
    return f"{host.url}/runtime/webhooks/eventgrid?{urlencode({'functionName': function, 'code': code})}"


def test_an_event_runs_the_function(grid: StandIn, name: str, host: HostProcess) -> None:
    grid.subscribe(name, webhook(host, "on_event"))
    sent = an_event(data={})

    grid.publish(EVENTS_TOPIC, sent)

    eventually(lambda: sent.id in {entry["id"] for entry in host.journal("event")})
    assert {"attempts": 1, "delivered": 1}.items() <= grid.final_counts(name).items()


def test_an_event_in_the_other_schema_starts_a_workflow(grid: StandIn, name: str, host: HostProcess) -> None:
    grid.subscribe(name, webhook(host, "on_cloud_event"), eventDeliverySchema="CloudEventSchemaV1_0")
    sent = an_event(data={"start": 4})

    grid.publish(EVENTS_TOPIC, sent)

    assert grid.final_counts(name)["delivered"] == 1
    status = eventually(lambda: host.durable("GET", f"instances/event-{sent.id}").json()["output"])
    assert status == {"value": 7}


def test_a_failing_function_gets_its_event_again(grid: StandIn, name: str, host: HostProcess) -> None:
    grid.subscribe(name, webhook(host, "on_event"), retryPolicy={"maxDeliveryAttempts": 3})

    grid.publish(EVENTS_TOPIC, an_event(data={"fail": True}))

    assert {"attempts": 3, "delivered": 0, "dropped": 1}.items() <= grid.final_counts(name).items()


def test_the_host_wants_its_own_key(grid: StandIn, name: str, host: HostProcess) -> None:
    for endpoint in (webhook(host, "on_event", key="wrong"), webhook(host, "nobody")):
        definition = {"topic": EVENTS_TOPIC, "endpoint": endpoint}
        assert grid.control("PUT", f"subscriptions/{name}", json=definition).status_code == 400
