"""What the data owner does to the hold-out and to the data, without an event: compared fairly, and told truly."""

from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from local_stack.app_client import AppClient, app_client, deadline, land
from local_stack.demo_data import breast_cancer_story
from tests.support.stack import running_stack

PIPELINE = "breast-cancer"
DATA = breast_cancer_story()


@pytest.mark.timeout(3000)
def test_a_replaced_holdout_and_withdrawn_data() -> None:
    with running_stack(PIPELINE) as stack, app_client(stack.endpoints) as app:
        endpoints = stack.endpoints
        for name, content in {DATA.holdout_name: DATA.holdout, **DATA.first}.items():
            land(endpoints, PIPELINE, name, content)
        first = next_run(app)
        assert (first["outcome"], first["champion_value"]) == ("promoted", None), first["reason"]

        # Every second row: other numbers for every model. What is trained on stays as it is.
        head, *rows = DATA.holdout.splitlines(keepends=True)
        land(endpoints, PIPELINE, DATA.holdout_name, b"".join([head, *rows[::2]]))
        second = next_run(app)

        assert second["blobs"] == first["blobs"]
        assert second["holdout"] != first["holdout"]
        assert second["evaluator"] == first["evaluator"]
        assert second["metrics"]["log_loss"] != pytest.approx(first["metrics"]["log_loss"])
        assert second["champion_value"] == pytest.approx(second["metrics"]["log_loss"]), "the same data, the same model"
        assert "hold-out" in second["reason"]

        for name, content in DATA.second.items():
            land(endpoints, PIPELINE, name, content)
        third = next_run(app)
        assert third["outcome"] == "promoted", third["reason"]
        hub = endpoints["hub_storage"]
        with BlobServiceClient.from_connection_string(
            hub["connection_string"], api_version=hub["api_version"]
        ) as service:
            for name in DATA.second:
                service.get_blob_client(PIPELINE, name).delete_blob()

        answer = app.post(f"/api/pipelines/{PIPELINE}/runs", {"reason": "the owner withdrew a file"})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["started"], said["run_id"], said["verdict"]) == (False, second["run_id"], "unchanged")
        assert third["run_id"] in said["reason"]
        assert "removed" in said["reason"]
        assert "removed" in app.get(f"/api/pipelines/{PIPELINE}").json()["serving"]
        gone = app.why(PIPELINE, next(iter(DATA.second)))["sentence"]
        assert f"run {third['run_id']}" in gone


def next_run(app: AppClient) -> dict[str, Any]:
    """What the reconciler finds by itself, once it has ended."""
    known = {run["run_id"] for run in app.runs(PIPELINE)}
    for _ in deadline(400, "a run that no event asked for", pause=2):
        app.fire("keep_watch")
        fresh = {run["run_id"] for run in app.runs(PIPELINE)} - known
        if fresh:
            return app.wait_for_outcome(fresh.pop(), seconds=1200)
    raise AssertionError("unreachable")
