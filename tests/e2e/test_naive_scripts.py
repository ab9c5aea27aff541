"""The demo's two naive scripts on the whole stack: refused, told why, and nothing of their rows is in the cloud.

One prints its rows and pickles them into its model, the other opens a socket. The search of the cloud's side shows
first that it sees each of the places there, by rows that a program with every right puts into them.
"""

import gzip
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from local_stack.app_client import AppClient, app_client, deadline
from local_stack.demo import naive
from local_stack.demo.runs import Run
from local_stack.leak_search import Canaries, Search
from local_stack.supervisor import Stack
from local_stack.upstream_client import upstream_client
from shared.clients.container_registry import connect
from shared.oci.references import digest_of
from shared.settings import ContainerRegistry
from tests.support.stack import CACHE

ROWS = {naive.KEEPS_ROWS: Canaries.new(), naive.CALLS_HOME: Canaries.new()}


@pytest.fixture(scope="module")
def since() -> float:
    return time.time() - 2


@pytest.fixture(scope="module")
def client(stack: Stack, since: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    root = tmp_path_factory.mktemp("naive") / "app"
    naive.write_app_root(root)
    stack.app_settings[naive.ROOT_SETTING] = str(root)
    stack.restart("functions_host")
    try:
        naive.prepare_naive(stack.endpoints, root, CACHE)
        with app_client(stack.endpoints) as client:
            yield client
    finally:
        del stack.app_settings[naive.ROOT_SETTING]
        stack.restart("functions_host")


@pytest.fixture(scope="module")
def runs(stack: Stack, client: AppClient) -> dict[str, Run]:
    return naive.run_both(client, stack.endpoints, ROWS)


def test_both_are_refused_and_told_why(runs: dict[str, Run]) -> None:
    keeps, calls = runs[naive.KEEPS_ROWS], runs[naive.CALLS_HOME]

    assert [run["outcome"] for run in runs.values()] == ["failed", "failed"]
    assert "pickle" in keeps["reason"]
    assert "call_home.py:9" in calls["reason"]
    assert "OSError" in calls["reason"]
    for run in runs.values():
        receipt = run["receipt"]
        assert receipt["released"] == 1
        assert receipt["released_bytes"] < 1000
        assert receipt["network_bytes"] == 0
    assert keeps["receipt"]["held_back"] == 1


def test_what_they_printed_is_on_the_vm(stack: Stack, runs: dict[str, Run]) -> None:
    kept = Path(stack.endpoints["vm"]["home"]) / "edgetrain/state/kept" / runs[naive.KEEPS_ROWS]["run_id"]

    assert ROWS[naive.KEEPS_ROWS].rows[0].word in (kept / "logs/train.log").read_text()


def test_no_row_is_on_the_clouds_side(stack: Stack, runs: dict[str, Run], since: float) -> None:
    found, searched = naive.search_cloud(stack.state, ROWS.values(), since=since)

    assert found == []
    assert searched > 100_000
    assert all(run["run_id"].encode() in _everything(stack.state, since) for run in runs.values()), "a control"


def test_no_answer_of_the_app_has_a_row(client: AppClient, runs: dict[str, Run]) -> None:
    for name, rows in ROWS.items():
        search = Search(rows)
        for path in ("/api/runs", f"/api/runs/{runs[name]['run_id']}", "/api/pipelines", "/api/arrivals"):
            search.content(path, client.get(path, pipeline=name).content)
        assert search.found == []


def test_the_search_sees_every_place(stack: Stack, runs: dict[str, Run]) -> None:
    """Comes last: what is planted here would be found by the others."""
    since, planted = time.time() - 2, Canaries.new()
    words = [row.word for row in planted.rows[::5]]
    connection = stack.endpoints["cloud_storage"]["connection_string"]
    packed = gzip.compress(json.dumps({"rows": [words[1]]}).encode())
    with BlobServiceClient.from_connection_string(connection) as blobs, blobs.get_container_client("planted") as one:
        one.create_container()
        one.upload_blob("blob", packed)
    with TableServiceClient.from_connection_string(connection) as tables:
        tables.create_table("planted").upsert_entity({"PartitionKey": "a", "RowKey": "b", "text": words[2]})
    with upstream_client(stack.endpoints) as upstream:
        upstream.ask({"pipeline": words[3]})
    where = stack.endpoints["container_registry"]
    registry = ContainerRegistry.model_validate(
        {"url": where["url"], "username": where["username"], "password": where["password"]}
    )
    with connect(registry) as client:
        layer = gzip.compress(b"x" * 3000 + words[4].encode())
        client.put_blob("planted", digest_of(layer), io.BytesIO(layer))
    with closing(sqlite3.connect(stack.state / "azure_ml" / "workspace.sqlite", timeout=60)) as database, database:
        body = json.dumps({"tags": {"edgetrain.failure": words[5]}})
        database.execute("INSERT INTO documents (kind, id, n, body) VALUES ('planted', 'a', 0, ?)", [body])
    (stack.state / "azure_ml" / "blobs" / "planted").write_bytes(words[6].encode("utf-16"))
    (stack.state / "logs" / "planted.log").write_text(words[7])

    wanted = {f"row {5 * number}, word" for number in range(1, 8)}
    for _ in deadline(300, "the storage to write to its disk what it has taken"):
        found, _ = naive.search_cloud(stack.state, [planted], since=since)
        if all(any(find.startswith(name) for find in found) for name in wanted):
            break


def _everything(state: Path, since: float) -> bytes:
    return b"".join(path.read_bytes() for path in naive.cloud_side(state, since=since))
