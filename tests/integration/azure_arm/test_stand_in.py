"""What the stand-in answers to ``azure-mgmt-appcontainers``; its revisions are containers that get real traffic."""

import itertools
import time
from collections import Counter
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from local_stack.identity.tokens import MANAGEMENT, STORAGE, Issuer
from shared.clients.container_apps.arm import ContainerApps
from shared.clients.identity import managed_identity
from tests.integration.azure_arm.conftest import Body, template
from tests.support.azure_arm import AzureArm
from tests.support.identity import give_identity, token_service
from tests.support.service_process import eventually

GROUP = "edgetrain"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sdk(arm: AzureArm) -> Any:
    return arm.sdk()


@pytest.fixture
def name() -> str:
    return f"app-{next(_numbers)}"


@pytest.fixture(scope="module")
def quiet(arm: AzureArm, sdk: Any, app_body: Body) -> str:
    """An app with revision ``v1`` for tests that change nothing of it for good."""
    image = arm.registry.push("models/x", version=1)
    sdk.container_apps.begin_create_or_update(GROUP, "quiet", app_body("quiet", image, "v1")).result()
    healthy(sdk, "quiet", "v1")
    return "quiet"


@pytest.fixture
def app(arm: AzureArm, sdk: Any, name: str, app_body: Body) -> str:
    """An app with revision ``v1``, all traffic, healthy."""
    image = arm.registry.push("models/x", version=1)
    sdk.container_apps.begin_create_or_update(GROUP, name, app_body(name, image, "v1")).result()
    healthy(sdk, name, "v1")
    return name


def healthy(sdk: Any, app: str, suffix: str) -> Any:
    def look() -> Any:
        found = sdk.container_apps_revisions.get_revision(GROUP, app, f"{app}--{suffix}")
        return found if found.health_state == "Healthy" and found.running_state == "Running" else None

    return eventually(look, seconds=60)


def weigh(sdk: Any, app: str, **weights: int) -> None:
    traffic = [{"revisionName": f"{app}--{suffix}", "weight": weight} for suffix, weight in weights.items()]
    patch = {"properties": {"configuration": {"ingress": {"traffic": traffic}}}}
    sdk.container_apps.begin_update(GROUP, app, patch).result()


def add(arm: AzureArm, sdk: Any, app: str, suffix: str, **behaviour: Any) -> None:
    image = arm.registry.push("models/x", version=int(suffix[1:]), **behaviour)
    sdk.container_apps.begin_update(GROUP, app, {"properties": {"template": template(image, suffix)}}).result()


def score(address: str) -> requests.Response:
    return requests.post(f"http://{address}/score", json={"data": [1, 2.5]}, timeout=30)


def address_of(sdk: Any, app: str) -> str:
    return str(sdk.container_apps.get(GROUP, app).configuration.ingress.fqdn)


def test_an_app_serves_from_the_container_of_its_revision(arm: AzureArm, sdk: Any, app: str) -> None:
    assert score(address_of(sdk, app)).json() == {"version": 1, "sum": 3.5}
    shown = sdk.container_apps.get(GROUP, app)
    assert shown.provisioning_state == "Succeeded"
    assert shown.latest_revision_name == f"{app}--v1"
    assert [secret.value for secret in shown.configuration.secrets] == [None]
    revision = healthy(sdk, app, "v1")
    assert score(revision.fqdn).json()["version"] == 1
    assert (revision.active, revision.traffic_weight, revision.replicas) == (True, 100, 1)
    assert f"aca-{app}--v1" in arm.containers()


def test_a_canary_gets_its_part_of_the_traffic_and_is_counted(arm: AzureArm, sdk: Any, app: str) -> None:
    add(arm, sdk, app, "v2", status=500)
    healthy(sdk, app, "v2")
    where = address_of(sdk, app)
    assert {score(where).status_code for _ in range(20)} == {200}

    weigh(sdk, app, v1=80, v2=20)
    answers = Counter(score(where).status_code for _ in range(300))
    assert 30 <= answers[500] <= 95

    counted = metrics(arm, app)
    assert counted[f"{app}--v2", "5xx"] == answers[500]
    assert counted[f"{app}--v1", "2xx"] == answers[200] + 20


def metrics(arm: AzureArm, app: str) -> dict[tuple[str, str], int]:
    reply = requests.get(
        f"{arm.endpoints['url']}/subscriptions/{arm.endpoints['subscription_id']}/resourceGroups/{GROUP}/providers/"
        f"Microsoft.App/containerApps/{app}/providers/Microsoft.Insights/metrics",
        params={
            "api-version": "2023-10-01",
            "metricnames": "Requests",
            "aggregation": "Total",
            "$filter": "revisionName eq '*' and statusCodeCategory eq '*'",
        },
        headers={"Authorization": f"Bearer {arm.token()}"},
        verify=arm.endpoints["ca_bundle"],
        timeout=30,
    )
    reply.raise_for_status()
    found = {}
    for series in reply.json()["value"][0]["timeseries"]:
        values = {entry["name"]["value"]: entry["value"] for entry in series["metadatavalues"]}
        found[values["revisionname"], values["statuscodecategory"]] = int(
            sum(point["total"] for point in series["data"])
        )
    return found


def test_a_revision_that_comes_or_goes_loses_no_count(arm: AzureArm, sdk: Any, app: str) -> None:
    where = address_of(sdk, app)
    assert [score(where).status_code for _ in range(5)] == [200] * 5
    add(arm, sdk, app, "v2")
    assert metrics(arm, app)[f"{app}--v1", "2xx"] == 5


@pytest.mark.parametrize(
    "weights", [{"v1": 99}, {"v1": 100, "v2": 10}, {"v1": 50, "nope": 50}, {}], ids=["99", "110", "unknown", "none"]
)
def test_weights_must_sum_to_100_and_name_revisions(sdk: Any, quiet: str, weights: dict[str, int]) -> None:
    with pytest.raises(HttpResponseError) as refused:
        weigh(sdk, quiet, **weights)
    assert refused.value.status_code == 400


def test_nothing_is_changed_while_an_operation_is_under_way(arm: AzureArm, sdk: Any, app: str) -> None:
    image = arm.registry.push("models/x", version=2)
    first = sdk.container_apps.begin_update(GROUP, app, {"properties": {"template": template(image, "v2")}})
    with pytest.raises(ResourceExistsError) as refused:
        sdk.container_apps.begin_update(GROUP, app, {"tags": {"a": "b"}})
    assert refused.value.status_code == 409
    first.result()


def test_a_patch_merges_and_makes_no_revision_without_a_new_template(sdk: Any, quiet: str) -> None:
    sdk.container_apps.begin_update(GROUP, quiet, {"tags": {"a": "b"}}).result()
    sdk.container_apps.begin_update(GROUP, quiet, {"tags": {"c": "d"}}).result()
    assert sdk.container_apps.get(GROUP, quiet).tags == {"a": "b", "c": "d"}
    assert [each.name for each in sdk.container_apps_revisions.list_revisions(GROUP, quiet)] == [f"{quiet}--v1"]


def test_a_suffix_is_used_once(arm: AzureArm, sdk: Any, quiet: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        add(arm, sdk, quiet, "v1", status=500)
    assert refused.value.status_code == 400


def test_an_image_that_is_not_there_fails_the_operation_and_leaves_the_app(arm: AzureArm, sdk: Any, app: str) -> None:
    image = f"{arm.registry.address}/models/x@sha256:{'0' * 64}"
    update = {"properties": {"template": template(image, "v2")}}
    with pytest.raises(HttpResponseError) as failed:
        sdk.container_apps.begin_update(GROUP, app, update).result()
    assert "InvalidParameterValueInContainerTemplate" in str(failed.value)
    assert [each.name for each in sdk.container_apps_revisions.list_revisions(GROUP, app)] == [f"{app}--v1"]
    add(arm, sdk, app, "v2")
    healthy(sdk, app, "v2")


@pytest.mark.parametrize("resources", [{"cpu": 1.0, "memory": "1Gi"}, {"cpu": 0.3, "memory": "0.6Gi"}])
def test_only_pairs_that_are_sold_are_accepted(sdk: Any, quiet: str, resources: dict[str, Any]) -> None:
    wanted = template("x/y@sha256:" + "0" * 64, "v2")
    wanted["containers"][0]["resources"] = resources
    with pytest.raises(HttpResponseError) as refused:
        sdk.container_apps.begin_update(GROUP, quiet, {"properties": {"template": wanted}})
    assert refused.value.error is not None
    assert refused.value.error.code == "ContainerAppInvalidResourceTotal"


def test_a_deactivated_revision_has_no_container_and_keeps_its_weight(arm: AzureArm, sdk: Any, app: str) -> None:
    add(arm, sdk, app, "v2")
    healthy(sdk, app, "v2")
    weigh(sdk, app, v1=50, v2=50)
    sdk.container_apps_revisions.deactivate_revision(GROUP, app, f"{app}--v2")
    eventually(lambda: f"aca-{app}--v2" not in arm.containers())
    revision = sdk.container_apps_revisions.get_revision(GROUP, app, f"{app}--v2")
    assert (revision.active, revision.running_state, revision.traffic_weight) == (False, "Stopped", 50)
    assert {entry.revision_name for entry in sdk.container_apps.get(GROUP, app).configuration.ingress.traffic} == {
        f"{app}--v1",
        f"{app}--v2",
    }
    assert {score(address_of(sdk, app)).status_code for _ in range(40)} == {200, 404}


def test_weight_on_a_deactivated_revision_is_accepted(arm: AzureArm, sdk: Any, app: str) -> None:
    add(arm, sdk, app, "v2")
    sdk.container_apps_revisions.deactivate_revision(GROUP, app, f"{app}--v2")
    weigh(sdk, app, v2=100)
    eventually(lambda: score(address_of(sdk, app)).status_code == 404)
    sdk.container_apps_revisions.activate_revision(GROUP, app, f"{app}--v2")
    healthy(sdk, app, "v2")
    assert eventually(lambda: score(address_of(sdk, app)).status_code == 200)


def test_single_mode_sends_the_traffic_to_the_latest_revision_even_if_that_is_off(
    arm: AzureArm, sdk: Any, app: str
) -> None:
    add(arm, sdk, app, "v2")
    sdk.container_apps_revisions.deactivate_revision(GROUP, app, f"{app}--v2")
    mode = {"properties": {"configuration": {"activeRevisionsMode": "Single"}}}
    sdk.container_apps.begin_update(GROUP, app, mode).result()
    assert eventually(lambda: score(address_of(sdk, app)).status_code == 404)
    mode["properties"]["configuration"]["activeRevisionsMode"] = "Multiple"
    sdk.container_apps.begin_update(GROUP, app, mode).result()
    assert sdk.container_apps_revisions.get_revision(GROUP, app, f"{app}--v1").traffic_weight == 0
    assert score(address_of(sdk, app)).status_code == 404


def test_a_container_that_dies_says_how_in_its_replica_and_its_log(arm: AzureArm, sdk: Any, app: str) -> None:
    add(arm, sdk, app, "v2", dies="no such column")
    add(arm, sdk, app, "v3", eats=True)

    def failed(suffix: str) -> Any:
        found = sdk.container_apps_revisions.get_revision(GROUP, app, f"{app}--{suffix}")
        replicas = sdk.container_apps_revision_replicas.list_replicas(GROUP, app, found.name).value
        container = replicas[0].containers[0] if replicas else None
        return container if container and found.running_state == "Failed" and container.restart_count else None

    died = eventually(lambda: failed("v2"))
    assert "exit code '1' and reason 'ProcessExited'" in died.running_state_details
    token = sdk.container_apps.get_auth_token(GROUP, app)
    reply = requests.get(
        died.log_stream_endpoint,
        params={"tailLines": "20", "follow": "false"},
        headers={"Authorization": f"Bearer {token.token}"},
        verify=arm.endpoints["ca_bundle"],
        timeout=30,
    )
    assert "init() failed: no such column" in reply.text
    assert "reason 'OOMKilled'" in eventually(lambda: failed("v3")).running_state_details


def test_a_deleted_app_is_gone_with_its_containers(arm: AzureArm, sdk: Any, app: str) -> None:
    sdk.container_apps.begin_delete(GROUP, app).result()
    with pytest.raises(ResourceNotFoundError):
        sdk.container_apps.get(GROUP, app)
    assert not [each for each in arm.containers() if each.startswith(f"aca-{app}--")]
    sdk.container_apps.begin_delete(GROUP, app).result()


def test_apps_survive_a_restart_and_a_crash(arm: AzureArm, sdk: Any, app: str) -> None:
    where = address_of(sdk, app)
    assert score(where).status_code == 200
    arm.stop()
    arm.start()
    healthy(sdk, app, "v1")
    assert eventually(lambda: score(where).status_code == 200)
    assert address_of(sdk, app) == where


def test_a_fault_is_what_the_sdk_meets(arm: AzureArm, sdk: Any, quiet: str) -> None:
    arm.set_fault(path="/containerApps/", status=403, count=1)
    with pytest.raises(HttpResponseError) as refused:
        sdk.container_apps.get(GROUP, quiet)
    assert refused.value.status_code == 403
    assert sdk.container_apps.get(GROUP, quiet).name == quiet


def test_nobody_comes_in_without_a_token_that_is_good_here(arm: AzureArm, quiet: str) -> None:
    issuer = Issuer.open(arm.tokens / "state" / "issuer.json")
    identity, now = next(iter(issuer.identities)), int(time.time())
    elsewhere = issuer.issue(STORAGE, identity, now=now, seconds=3600)
    expired = issuer.issue(MANAGEMENT, identity, now=now - 7200, seconds=3600)

    for headers in ({}, *({"Authorization": f"Bearer {token}"} for token in ("x", elsewhere, expired))):
        answer = requests.get(url_of(arm, quiet), headers=headers, verify=arm.endpoints["ca_bundle"], timeout=30)
        assert answer.status_code == 401


def test_a_managed_identity_shows_its_apps(arm: AzureArm, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apps = ContainerApps(
        url=arm.endpoints["url"],
        subscription_id=arm.endpoints["subscription_id"],
        resource_group=GROUP,
        credential=managed_identity(),
        ca_bundle=arm.endpoints["ca_bundle"],
    )

    with token_service(arm.tokens) as tokens:
        give_identity(monkeypatch, tokens, arm.endpoints["ca_bundle"])
        found = apps.app(quiet)

        assert tokens.issued() == {MANAGEMENT: 1}
    assert found is not None
    assert found.name == quiet


def url_of(arm: AzureArm, name: str) -> str:
    group = f"{arm.endpoints['url']}/subscriptions/{arm.endpoints['subscription_id']}/resourceGroups/{GROUP}"
    return f"{group}/providers/Microsoft.App/containerApps/{name}?api-version=2026-07-01"
