"""Attaching the VM: asked for first, done once whoever comes at the same moment, and waited for."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.clients.azure_ml.compute import WAIT_SECONDS
from tests.integration.training_driver.client import APP_ROOT, Client, Failed
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client, running
from tests.support.service_process import eventually
from tests.support.serving_host import wait_for


@pytest.fixture
def own_azure_ml(tmp_path: Path) -> Iterator[AzureMlStandIn]:
    """One that knows no compute, and takes longer to attach one than a call waits for it."""
    state = tmp_path / "state"
    seconds = str(WAIT_SECONDS + 60)
    command = [sys.executable, "-m", "local_stack.azure_ml", "--state", str(state), "--attach-seconds", seconds]
    with running(command, tmp_path / "log", cwd=APP_ROOT):
        path = state / "endpoints.json"
        wait_for(path.is_file, "the Azure ML stand-in")
        yield AzureMlStandIn(json.loads(path.read_text(encoding="utf-8")))


def attach(client: Client, name: str = "hub-vm", **changes: Any) -> Any:
    return client.begin("facts", "attach", name, **changes).result(timeout=600)


def test_of_many_at_once_one_attaches_and_nobody_blocks_for_long(
    own_azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    client = new_client(own_azure_ml, vm, home)
    try:
        answers = client.begin("facts", "attach_side_by_side", "hub-vm", 4).result(timeout=600)
        assert [text for text in answers if text] == answers, answers  # none may submit yet
        assert any("is still creating" in text for text in answers)
        assert own_azure_ml.attachments("hub-vm") == 1

        eventually(lambda: attach(client) is None)  # by one of the next tries it is there
        assert attach(client) is None
        assert own_azure_ml.attachments("hub-vm") == 1
    finally:
        client.close()


def test_a_proxys_not_found_attaches_nothing_over_what_is_there(
    client: Client, azure_ml: AzureMlStandIn, vm: TrainingVm
) -> None:
    assert attach(client, "seen") is None
    azure_ml.fault("/computes/seen$", status=404)
    try:
        answer = attach(client, "seen")
    finally:
        azure_ml.clear_faults()

    assert isinstance(answer, Failed)
    assert answer.kind == "transient"
    assert "compute target seen" in answer.text
    assert azure_ml.attachments("seen") == 1


def test_a_vm_that_moved_is_attached_anew(client: Client, azure_ml: AzureMlStandIn) -> None:
    assert attach(client, "moved") is None
    assert attach(client, "moved", port=2222) is None
    assert attach(client, "moved", port=2222) is None

    assert azure_ml.attachments("moved") == 2


def test_the_key_never_lies_on_a_disk_and_is_not_shown(
    client: Client, azure_ml: AzureMlStandIn, vm: TrainingVm
) -> None:
    secret = vm.compute.private_key.get_secret_value().splitlines()[2]
    # The look-ups come first, and go on to the service; the PUT is answered by somebody who quotes it.
    azure_ml.fault("^/subscriptions/.*/computes/leaky$", status=400, text=f"what is {secret}?")
    try:
        answer = attach(client, "leaky")
    finally:
        azure_ml.clear_faults()

    assert isinstance(answer, Failed)
    assert secret not in answer.text
    assert "withheld" in answer.text
    written = client.begin("facts", "files_written_by_attaching", "quiet").result(timeout=600)
    assert written == []
