"""No key, no password and no data row gets where it does not belong.

Canaries are planted in the data; the credentials are those of the running stack. After a run that went well and one
that the data broke, every place outside the hub and the VM is searched, and each search proves that it finds what is
there. The app tells a collector what it does meanwhile, and so one trace is followed too, from the event to the
endpoint.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from local_stack.app_client import AppClient, app_client, blob_created, land
from local_stack.demo_data import breast_cancer_story
from local_stack.files import read_object
from local_stack.supervisor import Stack
from shared.values.traces import TraceContext
from tests.support.azure_ml_view import models
from tests.support.canaries import (
    Needles,
    files_below,
    found_in,
    found_in_database,
    found_in_files,
    found_in_text,
    number,
    secret,
)
from tests.support.changed_app import ChangedApp
from tests.support.otlp import Collector, collecting

PIPELINE = "canaries"
NUMBERS = (1234.5678901234, 987.6543210987, 1357.2468013579)
PATIENT = "canary-patient-{:04d}"
BROKEN_CELL = "canary-cell-not-a-number"
BROKEN_LABEL = 773190544028617  # long, so that no digest or time holds it by chance

EVENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")

Run = dict[str, Any]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[AppClient]:
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("canaries") / "app")
    app.add_pipeline(PIPELINE, data={"container": PIPELINE}, settle={"quiet_seconds": 20})
    app.prepare_serving(stack, PIPELINE)
    with app.deployed(stack, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url), app_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="module")
def run(stack: Stack, client: AppClient) -> Run:
    """A complete run on data with canaries in them."""
    data = breast_cancer_story()
    land(stack.endpoints, PIPELINE, data.holdout_name, marked(data.holdout))
    known = {run["run_id"] for run in client.runs(PIPELINE)}
    landed = [land(stack.endpoints, PIPELINE, name, marked(content)) for name, content in data.first.items()]
    for blob in landed:  # all of it lies there before the first event tells of it: one drop
        assert client.deliver(as_cloud_event(blob_created(stack.endpoints, blob))) in {200, 202}
    ended = client.wait_for_outcome(client.wait_for_new_run(PIPELINE, known))
    assert ended["outcome"] == "promoted", ended["reason"]
    return ended


@pytest.fixture(scope="module", autouse=True)
def failed_runs(stack: Stack, client: AppClient, run: Run) -> list[Run]:
    """Runs that the data broke: errors like to quote what they choke on."""
    part = next(iter(breast_cancer_story().second.values()))
    header, row, *_ = part.decode().splitlines()
    cells = row.split(",")
    bad_rows = [
        ",".join([cells[0], BROKEN_CELL, *cells[2:]]),
        ",".join([*cells[:-1], str(BROKEN_LABEL)]),
    ]
    ended = []
    for bad in bad_rows:
        content = f"{header}\n{row}\n{bad}\n".encode()
        land(stack.endpoints, PIPELINE, "landing/part-3.csv", content)
        answer = client.post(f"/api/pipelines/{PIPELINE}/runs")
        assert answer.status_code == 202, answer.text
        ended.append(client.wait_for_outcome(answer.json()["run_id"]))
    assert [run["outcome"] for run in ended] == ["failed", "failed"]
    return ended


@pytest.fixture(scope="module")
def data() -> Needles:
    """What was in the rows."""
    needles = {"a patient": PATIENT[:15].encode(), "a broken cell": BROKEN_CELL.encode()}
    needles["a broken label"] = str(BROKEN_LABEL).encode()
    for position, value in enumerate(NUMBERS):
        needles |= number(f"measurement {position}", value)
    return needles


@pytest.fixture(scope="module")
def credentials(stack: Stack) -> Needles:
    """What opens something."""
    endpoints = stack.endpoints
    secrets = {name: value for name, value in endpoints["functions_host"].items() if name.endswith("_key")}
    secrets |= {f"azure_ml {name}": endpoints["azure_ml"][name] for name in ("client_secret", "faults_key")}
    secrets |= {f"azure_arm {name}": endpoints["azure_arm"][name] for name in ("client_secret", "faults_key")}
    secrets["signing key of azure_arm"] = read_object(stack.state / "azure_arm" / "identity.json")["signing_key"]
    secrets["signing key"] = read_object(stack.state / "azure_ml" / "identity.json")["signing_key"]
    stored = read_object(stack.state / "credentials.json")
    secrets |= {name: value for name, value in stored.items() if not name.endswith(("_account", "_username")) and value}
    rights = endpoints["hub_storage"]["app"]
    secrets |= {f"the app's {name}": parse_qs(text)["sig"][0] for name, text in rights.items()}
    for name in ("client", "host"):
        # Any line will do: texts are wrapped, escaped and cut in many ways.
        lines = (stack.state / "vm" / "keys" / name).read_text(encoding="ascii").splitlines()
        secrets |= {f"{name} key, line {at}": line for at, line in enumerate(lines) if len(line) == 70 and at > 1}
    assert len(secrets) >= 13
    needles = {form: needle for name, value in secrets.items() for form, needle in secret(name, value).items()}
    return needles | {"a bearer token": b"eyJhbGciOi"}


@pytest.fixture(scope="module")
def forbidden(data: Needles, credentials: Needles) -> Needles:
    return {**data, **credentials}


@pytest.mark.timeout(3000)  # the first one: all runs are in it
def test_the_search_finds_what_is_there(stack: Stack, data: Needles, credentials: Needles) -> None:
    """The hub holds the data, and the file with the credentials holds them; so all needles can be found."""
    hub = found_in_files(files_below(stack.state / "hub_storage"), data)
    known = found_in_files([stack.state / "credentials.json", stack.state / "endpoints.json"], credentials)

    assert {find.partition(" in ")[0] for find in hub} >= {"a patient", "a broken cell", "a broken label"}
    assert {f"measurement {position}" for position in range(len(NUMBERS))} <= {f.partition(" in ")[0] for f in hub}
    for name in ("master_key", "function_key", "hub_key1", "hub_key2", "registry_password", "azure_ml client_secret"):
        assert any(find.startswith(f"{name} in /") for find in known), name
    assert found_in(io.BytesIO(b"x" * 5_000_000 + data["measurement 0 in binary"]), data) == {"measurement 0 in binary"}


def test_the_orchestration_store_holds_references_only(stack: Stack, run: Run, forbidden: Needles) -> None:
    files = list((stack.state / "functions_host").glob("*.sqlite3*"))
    (database,) = (stack.state / "functions_host").glob("*.sqlite3")

    assert found_in_database(database, {"control": run["run_id"].encode()})
    assert found_in_database(database, forbidden) == []
    assert found_in_files(files, forbidden) == []


def test_no_log_has_a_secret_or_a_row(stack: Stack, run: Run, forbidden: Needles) -> None:
    logs = files_below(stack.state / "logs")

    assert {path.stem for path in logs} >= {"functions_host", "azure_ml", "vm", "container_registry", "hub_storage"}
    assert found_in_files(logs, {"control": run["run_id"].encode()})
    assert found_in_files(logs, forbidden) == []


def test_azure_ml_knows_metrics_and_models_but_no_row(
    stack: Stack, run: Run, failed_runs: list[Run], forbidden: Needles
) -> None:
    """Tags, properties, metrics, logs, snapshots of code, artifacts: all that it keeps, and as its SDK shows it."""
    folder = stack.state / "azure_ml"
    own_secrets = ("identity.json", "endpoints.json", "compute-*.key")  # 0600, the stand-in's own
    shown = models(stack.endpoints, PIPELINE)

    for ended in (run, *failed_runs):
        assert found_in_database(folder / "workspace.sqlite", {"control": ended["run_id"].encode()})
    assert found_in_files(files_below(folder / "blobs"), {"control": b"sklearn"}), "a model is among the files"
    assert found_in_database(folder / "workspace.sqlite", forbidden) == []
    assert found_in_files(files_below(folder, without=own_secrets), forbidden) == []
    assert found_in_text("models", shown, {"control": run["run_id"].encode()})
    assert found_in_text("models", shown, forbidden) == []


def test_the_image_holds_the_model_and_nothing_else(stack: Stack, run: Run, forbidden: Needles) -> None:
    """Manifests, configurations and layers, these uncompressed too."""
    blobs = files_below(stack.state / "container_registry" / "data")
    forbidden = {name: needle for name, needle in forbidden.items() if name != "a bearer token"}  # tests of PyJWT

    assert found_in_files(blobs, {"control": run["run_id"].encode()}), "the manifest"
    assert found_in_files(blobs, {"control": b"Answers scoring requests inside the model's container"}), "in a layer"
    assert found_in_files(blobs, forbidden) == []


def test_cloud_storage_and_the_ledger_hold_references_only(stack: Stack, run: Run, forbidden: Needles) -> None:
    connection = stack.endpoints["cloud_storage"]["connection_string"]
    raw = files_below(stack.state / "cloud_storage")
    with TableServiceClient.from_connection_string(connection) as tables:
        rows = [
            dict(row) for table in tables.list_tables() for row in tables.get_table_client(table.name).list_entities()
        ]
    with BlobServiceClient.from_connection_string(connection) as service:
        blobs = [
            service.get_container_client(container.name).download_blob(blob.name).readall()
            for container in service.list_containers()
            for blob in service.get_container_client(container.name).list_blobs()
        ]

    assert found_in_text("the ledger", rows, {"control": run["run_id"].encode()})
    assert found_in_files(raw, {"control": run["run_id"].encode()})
    assert found_in_text("the ledger", rows, forbidden) == []
    assert [find for blob in blobs for find in found_in_text("a blob", blob, forbidden)] == []
    assert found_in_files(raw, forbidden) == []


def test_what_the_app_answers_holds_no_secret_and_no_row(client: AppClient, forbidden: Needles) -> None:
    answers = [client.get("/api/runs", pipeline=PIPELINE), client.get("/api/pipelines"), client.get("/api/health")]
    answers += [client.get(f"/api/runs/{run['run_id']}") for run in client.runs(PIPELINE)]

    for answer in answers:
        assert answer.status_code == 200
        assert found_in_text(str(answer.url), answer.content, forbidden) == []


def test_the_vm_holds_its_own_credentials_only(stack: Stack, credentials: Needles) -> None:
    """The hub's second key and a password that only pulls are the VM's; the keys of the cloud side never get there."""
    libraries = [path.resolve() for path in Path(stack.endpoints["vm"]["home"]).glob("edgetrain/job/*/lib")]
    home = [
        path
        for path in files_below(Path(stack.endpoints["vm"]["home"]))
        if not any(path.resolve().is_relative_to(folder) for folder in libraries)  # they speak of bearer tokens
    ]
    own = {name: needle for name, needle in credentials.items() if name.startswith(("hub_key2", "registry_pull"))}
    others = {name: needle for name, needle in credentials.items() if name not in own}

    found = found_in_files(home, own)
    assert {find.partition("_")[0] for find in found} == {"hub", "registry"}
    assert all(Path("/" + find.rpartition(" in /")[2]).stat().st_mode & 0o077 == 0 for find in found)
    assert found_in_files([*home, *files_below(stack.state / "vm" / "etc")], others) == []


def test_no_process_shows_a_secret_on_its_command_line(stack: Stack, credentials: Needles) -> None:
    lines = b"\n".join(command_lines())

    assert str(stack.state).encode() in lines
    assert found_in_text("a command line", lines, credentials) == []


def test_one_trace_leads_from_the_event_to_the_endpoint(stack: Stack, run: Run, collector: Collector) -> None:
    """The event's own; the run, its stages, its activities and the steps on the VM are in it, each in its place."""
    assert run["trace"] == EVENT.trace_id
    collector.wait_for(lambda: "settle_arrivals" in collector.trace(EVENT.trace_id))
    told = collector.trace(EVENT.trace_id)

    (arrival,), (settling,), (whole,) = told["on_data_arrival"], told["settle_arrivals"], told["retrain_model"]
    (training,), (rolling_out,) = told["retrain_model training"], told["retrain_model rolling_out"]
    (polled,), (job,) = told["await_training"], told["job train"]
    assert [arrival.parent, settling.parent] == [EVENT.span_id, arrival.span_id]
    assert [training.parent, rolling_out.parent] == [whole.span_id] * 2
    assert [polled.parent, told["submit_training"][0].parent] == [training.span_id, polled.span_id]
    assert job.parent == polled.span_id
    assert training.began <= job.began < job.ended <= training.ended
    assert {span.parent for span in told["roll_out"]} == {rolling_out.span_id}
    assert told.keys() >= {"job data", "job evaluate", "job guard", "register_model", "build_image", "apply_plan"}
    for span in (whole, training, job, told["record_run"][0]):
        assert span.attributes["edgetrain.run_id"] == run["run_id"]
    known = {span.span_id for spans in told.values() for span in spans}
    assert {span.parent for spans in told.values() for span in spans} - known == {EVENT.span_id}, "no loose ends"

    workspace = stack.state / "azure_ml" / "workspace.sqlite"
    assert found_in_database(workspace, {"tag": f"00-{EVENT.trace_id}-{polled.span_id}-01".encode()})
    answer = requests.post(f"{run['targets'][0]['endpoint']}/score", json={"rows": []}, timeout=60)
    assert answer.headers["x-edgetrain-run"] == run["run_id"], "and so the endpoint leads back to the trace"


def test_no_span_holds_a_secret_or_a_row(
    run: Run, failed_runs: list[Run], collector: Collector, forbidden: Needles
) -> None:
    for failed in failed_runs:
        collector.wait_for(lambda: bool(collector.trace(failed["trace"]).get("retrain_model")))  # noqa: B023 - at once

    assert found_in_text("telemetry", b"".join(collector.raw), {"control": run["run_id"].encode()})
    assert found_in_text("telemetry", b"".join(collector.raw), forbidden) == []


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    """As Event Grid delivers it in the other schema; its sender is in a trace, and records none of it itself."""
    cloud = {name: event[name] for name in ("id", "subject", "data")}
    cloud |= {"source": event["topic"], "type": event["eventType"], "time": event["eventTime"]}
    return {**cloud, "specversion": "1.0", "traceparent": replace(EVENT, sampled=False).text}


def command_lines() -> Iterator[bytes]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes().replace(b"\0", b" ")
        except OSError:  # it has ended meanwhile
            continue


def marked(content: bytes) -> bytes:
    """A CSV file with a column that nobody asked for, and with measurements that occur nowhere else."""
    header, *rows = content.decode().splitlines()
    area = header.split(",").index("mean_area")
    lines = [f"{header},patient"]
    for position, row in enumerate(rows):
        cells = row.split(",")
        if position < len(NUMBERS):
            cells[area] = repr(NUMBERS[position])
        lines.append(",".join([*cells, PATIENT.format(position)]))
    return ("\n".join(lines) + "\n").encode()
