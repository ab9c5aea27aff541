import json

from azure.durable_functions import DurableOrchestrationClient

from local_stack.functions_host.addresses import Addresses

ADDRESSES = Addresses("http://127.0.0.1:7071", "http://127.0.0.1:17071", "RetrainHub", "k+/=")


def test_the_sdk_builds_its_links_from_the_binding() -> None:
    client = DurableOrchestrationClient(ADDRESSES.client_binding())

    links = client.create_http_management_payload("run-7")

    assert links == ADDRESSES.management_links("run-7")
    assert links["id"] == "run-7"
    base = "http://127.0.0.1:7071/runtime/webhooks/durabletask/instances/run-7"
    assert links["statusQueryGetUri"] == f"{base}?taskHub=RetrainHub&connection=Storage&code=k%2B%2F%3D"


def test_the_binding_names_the_keyless_listener_with_a_slash_at_the_end() -> None:
    binding = json.loads(ADDRESSES.client_binding())

    assert binding["rpcBaseUrl"] == "http://127.0.0.1:17071/durabletask/"
    assert binding["taskHubName"] == "RetrainHub"


def test_the_key_is_not_shown_by_accident() -> None:
    assert "k+/=" not in repr(ADDRESSES)
