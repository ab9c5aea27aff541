"""Files that nobody can train on, at the running app: recorded with the reason, and no other run suffers."""

import json
from collections.abc import Iterator

import pytest

from local_stack.app_client import AppClient, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from shared.clients.ledger import Ledger, RecordedArrival
from tests.support.bad_input import reason_outside
from tests.support.changed_app import ChangedApp

CANARY = "8.25e-canary"


def spoiled(column: str | None, cell: str) -> bytes:
    """Two rows of the first drop; in the second, which is line 3, one cell is another. No column: that of the label."""
    header, first, second, *_ = next(iter(breast_cancer_story().first.values())).decode().splitlines()
    cells = second.split(",")
    cells[header.split(",").index(column) if column else -1] = cell
    return f"{header}\n{first}\n{','.join(cells)}\n".encode()


def without_column(column: str) -> bytes:
    header, *rows = next(iter(breast_cancer_story().first.values())).decode().splitlines()
    at = header.split(",").index(column)
    return "\n".join(",".join(line.split(",")[:at] + line.split(",")[at + 1 :]) for line in [header, *rows]).encode()


# What lands, and what the run's reason must say of it.
SPOILED_FILES = {
    "missing-column": (without_column("mean_area"), "line 1: the header lacks"),
    "text-in-number": (spoiled("mean_area", CANARY), "line 3, column 'mean_area'"),
    "not-a-number": (spoiled("error_area", "NaN"), "line 3, column 'error_area'"),
    "no-such-label": (spoiled(None, "8251"), "line 3, column 'label'"),
    "no-rows": (spoiled(None, "0").splitlines()[0] + b"\n", "no rows"),
    "not-text": (b"\xff\xfe\x00canary", "UTF-16"),
    "other-text": (b"mean_area,\xe9t\xe9\n", "line 1: not UTF-8 text"),
}


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """An app with a pipeline per spoiled file."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("bad-files") / "app")
    quick = {"quiet_seconds": 1, "longest_wait_seconds": 5}
    for name in SPOILED_FILES:
        app.add_pipeline(name, data={"container": name}, settle=quick, train={"expected_seconds": 2})
    with app.deployed(stack), app_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="module")
def spoiled_runs(stack: Stack, client: AppClient) -> dict[str, str]:
    """Pipeline -> run, for a file that lands in each; all at the same time."""
    data = breast_cancer_story()
    for name, (content, _) in SPOILED_FILES.items():
        land(stack.endpoints, name, data.holdout_name, data.holdout)
        blob = land(stack.endpoints, name, "landing/part-1.csv", content)
        assert client.deliver(blob_created(stack.endpoints, blob)) == 202
    return {name: client.wait_for_new_run(name, set()) for name in SPOILED_FILES}


@pytest.mark.parametrize("name", SPOILED_FILES)
def test_a_spoiled_file_fails_its_run_and_says_where_without_the_value(
    client: AppClient, ledger: Ledger, spoiled_runs: dict[str, str], name: str
) -> None:
    run = client.wait_for_outcome(spoiled_runs[name])

    assert run["outcome"] == "failed"
    assert run["reason"].startswith("training: landing/part-1.csv")
    assert SPOILED_FILES[name][1] in run["reason"]
    assert "canary" not in json.dumps(run)
    assert "8251" not in run["reason"]
    (arrival,) = arrivals_of(ledger, name)
    assert (arrival.verdict, arrival.run_id) == ("trained", run["run_id"])


def test_an_empty_file_is_recorded_and_not_trained(stack: Stack, client: AppClient, ledger: Ledger) -> None:
    blob = land(stack.endpoints, "breast-cancer", "landing/empty-file.csv", b"")

    assert client.deliver(blob_created(stack.endpoints, blob)) == 202

    assert "0 bytes" in reason_outside(ledger, "landing/empty-file.csv")


def test_a_file_outside_every_pipeline_is_recorded_with_the_reason(
    stack: Stack, client: AppClient, ledger: Ledger
) -> None:
    blob = land(stack.endpoints, "nobodys-container", "landing/lost.csv", b"a\n")

    assert client.deliver(blob_created(stack.endpoints, blob)) == 202

    assert "nobodys-container" in reason_outside(ledger, "landing/lost.csv")


def arrivals_of(ledger: Ledger, pipeline: str) -> list[RecordedArrival]:
    """The arrivals of a pipeline once all have a verdict."""
    for _ in deadline(300, f"verdicts on the arrivals of {pipeline}"):
        found = ledger.arrivals.list_arrivals(pipeline).items
        if found and all(arrival.verdict != "joined" for arrival in found):
            return list(found)
    raise AssertionError  # deadline() raises first
