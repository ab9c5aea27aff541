"""No row of data and no secret ends up where it does not belong.

Canaries are planted in the data, and every real credential of the stack is one too. After a run, every file of the
orchestration store, the logs, Azure ML, the registry (layers unpacked) and the cloud-side storage is searched.
"""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.app_client import AppClient, blob_created, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack

PIPELINE = "breast-cancer"
CANARIES = (b"17.42918374651", b"20.91827364558")  # values that no file of the data set has
# Where a credential may lie: with the service that issued it, readable by its owner only.
OWNERS = {"endpoints.json", "keys.json", "identity.json", "credentials.json"}
Run = dict[str, Any]


@pytest.fixture(scope="module")
def run(stack: Stack) -> Run:
    """A run over data with canaries, promoted and rolled out."""
    app, data = AppClient(stack.endpoints), breast_cancer_story()
    known = {found["run_id"] for found in app.runs(PIPELINE)}
    land(stack.endpoints, PIPELINE, data.holdout_name, planted(data.holdout, CANARIES[0]))
    for name, content in data.first.items():
        blob = land(stack.endpoints, PIPELINE, name, planted(content, CANARIES[1]))
        app.deliver(blob_created(stack.endpoints, blob))
    ended = app.wait_for_outcome(app.wait_for_new_run(PIPELINE, known))
    app.close()
    land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
    return ended


def planted(content: bytes, canary: bytes) -> bytes:
    """The CSV with the first value of its first row replaced."""
    header, row, rest = content.split(b"\n", 2)
    return b"\n".join([header, canary + b"," + row.partition(b",")[2], rest])


def places(stack: Stack) -> dict[str, Path]:
    """Everything that may know of a run, but must not know its data."""
    names = ("functions_host", "logs", "azure_ml", "container_registry", "cloud_storage")
    return {name: stack.state / name for name in names}


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, and once more unpacked if it is compressed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield path, content
        if content[:2] == b"\x1f\x8b" and len(content) < 20_000_000:
            yield path, gzip.decompress(content)


def found(folder: Path, needle: bytes, *, but: frozenset[str] = frozenset()) -> list[str]:
    """Files that hold the needle, in plain or JSON-escaped form."""
    escaped = json.dumps(needle.decode()).strip('"').encode()
    return [
        str(path.relative_to(folder.parent))
        for path, content in contents(folder)
        if path.name not in but and (needle in content or escaped in content)
    ]


def secrets(stack: Stack) -> dict[str, bytes]:
    """Every credential of the running stack, by what it is for."""
    ends = stack.endpoints
    host, vm = ends["functions_host"], ends["vm"]
    site = json.loads((Path(vm["home"]) / ".config" / "edgetrain" / "sites" / "factory.json").read_text())
    key = Path(vm["private_key_file"]).read_text().splitlines()
    named = {
        "hub storage, the app's key": account_key(ends["hub_storage"]["connection_string"]),
        "hub storage, the VM's key": account_key(site["connection_string"]),
        "cloud storage": account_key(ends["cloud_storage"]["connection_string"]),
        "registry": ends["container_registry"]["password"],
        "Azure ML": ends["azure_ml"]["client_secret"],
        "SSH": key[len(key) // 2],
        **{name: host[name] for name in ("master_key", "function_key", "event_grid_key", "durable_task_key")},
    }
    assert all(len(value) >= 16 for value in named.values()), "a secret this short would be found anywhere"
    return {name: value.encode() for name, value in named.items()}


def account_key(connection_string: str) -> str:
    match = re.search(r"AccountKey=([^;]+)", connection_string)
    assert match is not None
    return match.group(1)


def test_the_search_finds_what_is_there(stack: Stack, run: Run) -> None:
    """The control: by the same search, every place knows the run."""
    assert run["outcome"] == "promoted", run["reason"]
    for name, folder in places(stack).items():
        assert found(folder, run["run_id"].encode()), f"{name} does not know the run: the search is broken"
    assert found(stack.state / "hub_storage", CANARIES[1]), "the hub must have the data"


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("canary", CANARIES)
def test_no_row_of_data_leaves_the_hub_and_the_vm(stack: Stack, canary: bytes) -> None:
    assert {name: hits for name, folder in places(stack).items() if (hits := found(folder, canary))} == {}


@pytest.mark.usefixtures("run")
def test_no_data_stays_on_the_vm_after_the_training(stack: Stack) -> None:
    home = Path(stack.endpoints["vm"]["home"])

    assert [path for canary in CANARIES for path in found(home, canary)] == []


@pytest.mark.usefixtures("run")
def test_no_secret_is_where_it_does_not_belong(stack: Stack) -> None:
    leaks = {
        f"{secret} in {name}": hits
        for name, folder in places(stack).items()
        for secret, value in secrets(stack).items()
        if (hits := [hit for hit in found(folder, value, but=frozenset(OWNERS)) if not is_compute_key(hit)])
    }

    assert leaks == {}


def is_compute_key(path: str) -> bool:
    """Azure ML keeps the key that it logs in to an attached VM with, in a file of its own."""
    return re.fullmatch(r"azure_ml/compute-[0-9a-f]+\.key", path) is not None


@pytest.mark.usefixtures("run")
def test_the_vms_key_to_the_hub_is_on_the_vm_only(stack: Stack) -> None:
    key = secrets(stack)["hub storage, the VM's key"]
    holders = [hit for hit in found(stack.state, key) if "/vm/" not in f"/{hit.partition('/')[2]}"]

    # credentials.json is where the local stack itself keeps what it generated; hub_storage/ is the hub.
    assert [hit for hit in holders if Path(hit).name != "credentials.json" and "/hub_storage/" not in hit] == []


def test_files_with_secrets_are_private(stack: Stack, app: AppClient) -> None:
    assert app.get("/api/pipelines").status_code == 200
    for name in OWNERS:
        for path in stack.state.rglob(name):
            assert path.stat().st_mode & 0o077 == 0, path
