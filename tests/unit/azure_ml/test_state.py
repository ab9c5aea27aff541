import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.azure_ml import runs
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.store import Store
from local_stack.azure_ml.workspace import Workspace, now_text


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "state")
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path_factory.mktemp("shared"))
    yield opened
    opened.store.close()


def status_of(workspace: Workspace, run_id: str = "r-1") -> str:
    return str((workspace.store.get(runs.RUN, run_id) or {})["status"])


def test_an_id_is_taken_once(store: Store) -> None:
    assert store.add("run", "a", {"by": 1})
    assert not store.add("run", "a", {"by": 2})
    assert store.add("model", "a", {"by": 3})
    assert store.get("run", "a") == {"by": 1}


def test_documents_are_listed_by_prefix_in_the_order_they_came(store: Store) -> None:
    for key in ("b/2", "a/1", "b/1", "b%/3"):
        store.add("file", key, {"key": key})

    store.put("file", "b/2", {"key": "b/2", "changed": True})

    assert [found["key"] for found in store.all("file", "b/")] == ["b/2", "b/1"]
    assert [found["key"] for found in store.all("file")] == ["b/2", "a/1", "b/1", "b%/3"]


def test_a_change_of_what_is_not_there_changes_nothing(store: Store) -> None:
    assert store.change("run", "a", lambda body: body.update(x=1)) is None


@pytest.mark.parametrize("terminal", sorted(runs.TERMINAL))
def test_a_terminal_status_is_never_left(workspace: Workspace, terminal: str) -> None:
    runs.create_run(workspace, "pumps", "r-1")
    runs.set_status(workspace, "r-1", terminal, error="because")
    before = workspace.store.get(runs.RUN, "r-1")

    for status in ("Running", "CancelRequested", *runs.TERMINAL):
        runs.set_status(workspace, "r-1", status, error="other")

    assert workspace.store.get(runs.RUN, "r-1") == before


def test_a_request_to_cancel_is_only_left_for_the_end(workspace: Workspace) -> None:
    runs.create_run(workspace, "pumps", "r-1")
    runs.set_status(workspace, "r-1", "CancelRequested")

    runs.set_status(workspace, "r-1", "Finalizing")
    assert status_of(workspace) == "CancelRequested"

    runs.set_status(workspace, "r-1", "Canceled")
    assert status_of(workspace) == "Canceled"


def test_the_start_is_remembered_from_the_first_time(workspace: Workspace) -> None:
    runs.create_run(workspace, "pumps", "r-1")
    runs.set_status(workspace, "r-1", "Running")
    began = (workspace.store.get(runs.RUN, "r-1") or {})["startTimeUtc"]

    runs.set_status(workspace, "r-1", "Running")

    assert (workspace.store.get(runs.RUN, "r-1") or {})["startTimeUtc"] == began


STATUSES = ["Queued", "Preparing", "Running", "Finalizing", "CancelRequested", *sorted(runs.TERMINAL)]


@given(moves=st.lists(st.sampled_from(STATUSES), max_size=12))
def test_a_run_only_moves_on(shared_workspace: Workspace, moves: list[str]) -> None:
    run_id = f"r-{uuid4()}"
    runs.create_run(shared_workspace, "pumps", run_id)
    seen = ["NotStarted"]
    for status in moves:
        runs.set_status(shared_workspace, run_id, status)
        if status_of(shared_workspace, run_id) != seen[-1]:
            seen.append(status_of(shared_workspace, run_id))

    assert len(seen) == len(set(seen))
    assert not runs.TERMINAL.intersection(seen[:-1])
    assert "CancelRequested" not in seen[:-2]


def test_a_run_id_is_taken_in_the_whole_workspace(workspace: Workspace) -> None:
    assert runs.create_run(workspace, "pumps", "r-1")
    assert not runs.create_run(workspace, "fans", "r-1")


def test_every_state_has_an_identity_of_its_own_and_keeps_it_private(tmp_path: Path) -> None:
    first, second = Workspace.open(tmp_path / "a"), Workspace.open(tmp_path / "b")

    assert first.identity["workspace_id"] != second.identity["workspace_id"]
    assert (tmp_path / "a/identity.json").stat().st_mode & 0o777 == 0o600
    assert "signing_key" not in first.endpoints()
    assert json.loads((tmp_path / "a/identity.json").read_text())["signing_key"] not in json.dumps(first.endpoints())


def test_only_own_tokens_are_good_and_a_trainings_token_says_so(tmp_path: Path) -> None:
    workspace, other = Workspace.open(tmp_path / "a"), Workspace.open(tmp_path / "b")

    clients, trainings = workspace.claims(workspace.token("me")), workspace.claims(workspace.token("r", run_id="r"))

    assert clients is not None
    assert trainings is not None
    assert "run" not in clients
    assert trainings["run"] == "r"
    assert other.claims(workspace.token("me")) is None
    assert workspace.claims("nonsense") is None


def test_times_are_utc_with_a_z() -> None:
    soon = now_text(in_seconds=60)

    assert soon.endswith("Z")
    assert 50 < (datetime.fromisoformat(soon) - datetime.fromisoformat(now_text())).total_seconds() <= 60


def test_errors_have_the_shape_of_the_service_that_answers() -> None:
    error = ServiceError(409, "Conflict", "taken")

    def answer_of(path: str) -> object:
        return json.loads(error.response(path).body)  # type: ignore[arg-type] # plain bytes

    plain = {"code": "Conflict", "message": "taken", "details": []}
    assert answer_of("/rp/workspaces/x") == {"error": plain}
    assert answer_of("/modelmanagement/v1.0/x") == plain | {"statusCode": 409}
    inner = {"code": "Conflict", "innerError": None}
    assert answer_of("/history/v1.0/x") == {"error": plain | {"code": "UserError", "innerError": inner}}
