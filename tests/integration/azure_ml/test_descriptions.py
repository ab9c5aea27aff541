"""The stand-in against the published descriptions of the services.

The tables below are facts taken from Azure/azure-rest-api-specs (machinelearningservices: data-plane 2019-09-30,
resource-manager 2020-03-01; resources: subscriptions 2021-01-01) and from the client's own generated models: names of
properties, statuses and codes. What no description has must not be answered.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.azure_ml.paging import PAGE
from tests.integration.azure_ml.conftest import Lab
from tests.integration.azure_ml.stand_in import StandIn

Answer = dict[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RUN = _words(
    """
    runNumber rootRunId experimentId createdUtc createdBy userId token tokenExpiryTimeUtc error warnings revision
    runId parentRunId status startTimeUtc endTimeUtc heartbeatEnabled options name dataContainerId description hidden
    runType properties scriptName target tags runDefinition createdFrom cancelUri diagnosticsUri
    """
)
# inputDatasets, outputDatasets, services, and a model's createdBy, are in the client's models only.
DETAILS = _words(
    """
    runId target status parentRunId startTimeUtc endTimeUtc error warnings tags properties runDefinition logFiles
    revision inputDatasets outputDatasets services
    """
)
EXPERIMENT = frozenset({"experimentId", "name", "description", "createdUtc", "tags", "archivedTime"})
ARTIFACT = frozenset({"artifactId", "origin", "container", "path", "etag", "createdTime", "dataPath"})
CONTENT = frozenset({"contentUri", "origin", "container", "path"})
MODEL = _words(
    """
    id name framework frameworkVersion version datasets url mimeType description createdTime modifiedTime unpack
    parentModelId runId experimentName kvTags properties createdBy
    """
)
COMPUTE = _words(
    """
    computeType computeLocation provisioningState description createdOn modifiedOn resourceId provisioningErrors
    isAttachedCompute properties
    """
)
STATES = {"Unknown", "Updating", "Creating", "Deleting", "Succeeded", "Failed", "Canceled"}
VM = frozenset({"virtualMachineSize", "sshPort", "address", "administratorAccount"})
RESOURCE = frozenset({"id", "name", "identity", "location", "type", "tags", "sku", "properties"})
SUBSCRIPTION = frozenset({"id", "subscriptionId", "displayName", "tenantId", "state", "subscriptionPolicies"})
CODES = {"ServiceError", "UserError", "ValidationError", "AzureStorageError", "TransientError", "RequestThrottled"}
ERROR = frozenset({"code", "message", "target", "details", "innerError"})
MODEL_ERROR = frozenset({"code", "statusCode", "message", "details"})


@pytest.fixture(scope="module")
def ended(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """With the run ``described-1``, which left a page of files and some more."""
    folder = tmp_path_factory.mktemp("described")
    script = f"import pathlib\nfor n in range({PAGE + 3}):\n p = pathlib.Path(f'outputs/model/{{n:03}}')\n"
    script += " p.parent.mkdir(parents=True, exist_ok=True)\n p.write_text('x')\n"
    (folder / "job.py").write_text(script, encoding="utf-8")
    lab.submit("described-1", folder, tags={"a": "b"})
    assert lab.end("described-1")["status"] == "Completed"
    return lab


@pytest.fixture
def ask(ended: Lab) -> Callable[..., Answer]:
    stand_in, token = ended.azure_ml, ended.azure_ml.token()

    def asked(method: str, service: str, rest: str = "", *, status: int = 200, **how: Any) -> Answer:
        answer = stand_in.request(method, stand_in.service(service) + rest, token=token, **how)
        assert answer.status_code == status, answer.text
        found: Answer = answer.json() if answer.content else {}
        return found

    return asked


HISTORY, ARTIFACTS, MODELS = "history/v1.0", "artifact/v2.0", "modelmanagement/v1.0"
FILES = "/artifacts/ExperimentRun/dcid.described-1"


def test_a_run_and_its_details_have_properties_of_the_descriptions_only(ask: Callable[..., Answer]) -> None:
    run = ask("GET", HISTORY, "/experiments/pumps/runs/described-1")
    details = ask("GET", HISTORY, "/experiments/pumps/runs/described-1/details")
    experiment = ask("GET", HISTORY, "/experiments/pumps")

    assert run.keys() <= RUN
    assert details.keys() <= DETAILS
    assert experiment.keys() <= EXPERIMENT


def test_cancelling_answers_with_the_runs_id(ask: Callable[..., Answer]) -> None:
    assert ask("POST", "execution/v1.0", "/experiments/pumps/runId/described-1/cancel") == {"runId": "described-1"}


@pytest.mark.parametrize(
    ("service", "rest", "status", "inner"),
    [
        (HISTORY, "/experiments/pumps/runs/none", 404, None),
        (HISTORY, "/no/such/thing", 404, "NotFound"),
        (ARTIFACTS, f"{FILES}?continuationToken=nonsense", 400, None),
        ("metric/v2.0", "/runs/described-1/full", 405, "NotFound"),
    ],
)
def test_an_error_has_a_code_that_the_services_name(
    ask: Callable[..., Answer], service: str, rest: str, status: int, inner: str | None
) -> None:
    error = ask("GET", service, rest, status=status)["error"]

    assert error.keys() <= ERROR
    assert error["code"] in CODES
    assert error["details"] == []
    assert (error.get("innerError") or {}).get("code") == inner


def test_an_error_of_model_management_is_flat(ask: Callable[..., Answer]) -> None:
    error = ask("GET", MODELS, "/models/none:1", status=404)

    assert error.keys() == MODEL_ERROR
    assert error["statusCode"] == 404


def test_files_come_in_pages(ask: Callable[..., Answer]) -> None:
    for rest, properties in ((FILES, ARTIFACT), (f"/artifacts/prefix/contentinfo{FILES[10:]}/outputs", CONTENT)):
        first = ask("GET", ARTIFACTS, rest)
        second = ask("GET", ARTIFACTS, rest, params={"continuationToken": first["continuationToken"]})

        assert first.keys() == second.keys() == {"value", "continuationToken", "nextLink"}
        assert len(first["value"]) == PAGE
        assert second["continuationToken"] is None
        shown = [*first["value"], *second["value"]]
        assert all(entry.keys() <= properties for entry in shown)
        assert len({entry["path"] for entry in shown if entry["path"].startswith("outputs/")}) == PAGE + 3


def test_models_come_in_pages_with_a_link_to_the_next(ask: Callable[..., Answer]) -> None:
    for _ in range(3):
        ask(
            "POST",
            MODELS,
            "/models",
            json={"name": "described", "url": "aml://asset/1", "mimeType": "application/json"},
        )

    first = ask("GET", MODELS, "/models", params={"name": "described", "count": 2})
    token = first["nextLink"].rpartition("=")[2].replace("%3D", "=")
    second = ask("GET", MODELS, "/models", params={"name": "described", "count": 2, "$skipToken": token})

    assert first.keys() == {"value", "nextLink"}
    assert [model["version"] for model in [*first["value"], *second["value"]]] == [3, 2, 1]
    assert second["nextLink"] is None
    assert all(model.keys() <= MODEL for model in first["value"])


@pytest.mark.parametrize(
    "body",
    [
        {"kvTags": {}},
        [{"op": "remove", "path": "/kvTags"}],
        [{"op": "replace", "path": "/version", "value": 7}],
        [{"op": "replace", "path": "/kvTags", "value": "all"}],
    ],
)
def test_a_patch_that_the_client_never_sends_is_refused(ask: Callable[..., Answer], body: Any) -> None:
    model = ask("POST", MODELS, "/models", json={"name": "patched", "url": "aml://asset/1", "kvTags": {"a": "b"}})

    ask("PATCH", MODELS, f"/models/{model['id']}", json=body, status=400)

    assert ask("GET", MODELS, f"/models/{model['id']}") == model
    assert ask("PATCH", MODELS, "/models/none:1", json=[], status=404).keys() == MODEL_ERROR


def test_the_list_of_subscriptions_names_what_follows(ended: Lab) -> None:
    answer = ended.azure_ml.request("GET", "/subscriptions", token=ended.azure_ml.token()).json()

    assert answer.keys() == {"value", "nextLink"}
    assert all(entry.keys() <= SUBSCRIPTION for entry in answer["value"])


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[StandIn]:
    """A stand-in in which an attachment takes an hour."""
    stand_in = StandIn(tmp_path, ("--attach-seconds", "3600"))
    stand_in.start()
    yield stand_in
    stand_in.stop()


def test_attaching_begins(slow: StandIn) -> None:
    token = slow.token()
    computes = slow.service("")[1:] + "/computes"
    account = {"username": "u", "privateKeyData": "k"}
    details = {"address": "127.0.0.1", "sshPort": 22, "administratorAccount": account}
    body = {"location": "local", "properties": {"computeType": "VirtualMachine", "properties": details}}

    made = slow.request("PUT", f"{computes}/vm", token=token, json=body)
    operation = slow.request("GET", made.headers["Azure-AsyncOperation"], token=token).json()
    read = slow.request("GET", slow.service("rp/workspaces") + "/computes/vm", token=token).json()
    again = slow.request("PUT", f"{computes}/vm", token=token, json=body).json()

    assert made.status_code == 201
    assert operation["status"] == "InProgress"
    assert read.keys() <= RESOURCE
    assert read["properties"].keys() <= COMPUTE
    assert read["properties"]["properties"].keys() <= VM - {"administratorAccount"}
    assert (read["properties"]["provisioningState"], again["properties"]["provisioningState"]) == (
        "Creating",
        "Updating",
    )
    assert {read["properties"]["provisioningState"], again["properties"]["provisioningState"]} <= STATES
    assert "privateKeyData" not in json.dumps([made.json(), read, again])
