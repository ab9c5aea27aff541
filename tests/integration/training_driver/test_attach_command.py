"""``edgetrain attach`` against the stand-in of Azure ML and a real SSH server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.training_driver.client import APP_ROOT
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm
from tests.support.serving_host import free_port

ANOTHER_HOST = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5dFd8SGO8u2Nk8N0Qz3jQhmFzFfJ2yVQWq3vFh5mYk"


@pytest.fixture
def settings(azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the command: what the app's settings say of one VM, with a policy on it."""
    home = tmp_path / "home"
    home.mkdir()
    bundle = azure_ml.endpoints["ca_bundle"]
    names = ("metadata_url", "cloud", "tenant_id", "client_id", "client_secret", "subscription_id", "resource_group")
    described = {name: azure_ml.endpoints[name] for name in (*names, "workspace") if name in azure_ml.endpoints}
    compute = {
        "ADDRESS": vm.compute.address,
        "PORT": str(vm.compute.port),
        "USERNAME": vm.compute.username,
        "PRIVATE_KEY": vm.compute.private_key.get_secret_value().replace("\n", "\\n"),
        "HOST_KEY": vm.server.vm.host_key(),
        "HOME": vm.compute.home,
        "PULL_PASSWORD": "123456",
    }
    policy = vm.installed.policy
    before = policy.read_text() if policy.exists() else None
    vm.installed.write_policy("registries: []\npipelines: {}\n")
    yield {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        **dict.fromkeys(("AZUREML_DEFAULT_BACKOFF", "AZUREML_DEFAULT_500_BACKOFF", "AZUREML_DEFAULT_503_BACKOFF"), "1"),
        **{f"EDGETRAIN_AZURE_ML__{name.upper()}": str(value) for name, value in described.items()},
        **{f"EDGETRAIN_COMPUTES__HUB_VM__{name}": value for name, value in compute.items()},
        **{f"EDGETRAIN_COMPUTES__SECOND_VM__{name}": value for name, value in compute.items()},
    }
    if before is not None:
        vm.installed.write_policy(before)


def attach(environment: dict[str, str], *words: str) -> tuple[int, Any, str]:
    """Exit status, the document, and what was said besides."""
    command = [sys.executable, "-W", "ignore", "-m", "cli", "attach", "--json", *words]
    done = subprocess.run(
        command, cwd=APP_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_two_vms_are_attached_once_and_a_moved_one_anew(
    settings: dict[str, str], azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path
) -> None:
    status, document, said = attach(settings, "hub-vm", "second-vm")
    assert status == 0, (document, said)
    first, second = document["computes"]
    assert first["outcome"] in {"attached", "attached_before"}  # another test may have been there before
    assert second["outcome"] == "attached"
    assert {each["check"] for each in second["checks"]} >= {
        "login",
        "silent_shell",
        "home",
        "engine",
        "job",
        "policy",
        "sites",
    }
    assert list(second["settings"]) == ["EDGETRAIN_COMPUTES__SECOND_VM__RECEIPT_KEY"]
    assert "BEGIN PUBLIC KEY" in second["settings"]["EDGETRAIN_COMPUTES__SECOND_VM__RECEIPT_KEY"]

    status, document, _ = attach(settings, "second-vm")
    assert (status, document["computes"][0]["outcome"]) == (0, "attached_before")
    assert azure_ml.attachments("second-vm") == 1

    status, document, _ = attach(settings, "second-vm", "--renew")  # its key was replaced
    assert (status, document["computes"][0]["outcome"]) == (0, "renewed")
    assert azure_ml.attachments("second-vm") == 2

    # The address comes from the deployment, and the key from a file.
    outputs, key = tmp_path / "outputs.json", tmp_path / "key"
    values = {"address": "localhost", "sshPort": vm.compute.port, "trainingUser": vm.compute.username}
    values["trainingHome"] = vm.compute.home
    outputs.write_text(json.dumps({name: {"type": "string", "value": value} for name, value in values.items()}))
    key.write_text(vm.compute.private_key.get_secret_value())
    given = ("--outputs", str(outputs), "--private-key-file", str(key))
    status, document, _ = attach(settings, "second-vm", *given)
    [moved] = document["computes"]
    assert (status, moved["outcome"], moved["before"]) == (0, "moved", f"127.0.0.1:{vm.compute.port}")
    assert moved["settings"]["EDGETRAIN_COMPUTES__SECOND_VM__ADDRESS"] == "localhost"
    secret = vm.compute.private_key.get_secret_value().splitlines()[2]
    assert secret not in json.dumps(document)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"HOST_KEY": ""}, 1, "is not pinned: compare SHA256:"),
        (
            {"HOST_KEY": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5dFd8SGO8u2Nk8N0Qz3jQhmFzFfJ2yVQWq3vFh5mYk"},
            1,
            "host key",
        ),
        ({"USERNAME": "nobody-of-that-name"}, 1, "refuses the key"),
        ({"PRIVATE_KEY": "PuTTY-User-Key-File-3: ssh-ed25519"}, 1, "PuTTY's format"),
        ({"PRIVATE_KEY": ""}, 2, "EDGETRAIN_COMPUTES__WRONG_VM__PRIVATE_KEY"),
        ({"PORT": "many"}, 2, "PORT"),
        ({"PORT": "0"}, 3, "SSH to"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_attached(
    settings: dict[str, str], azure_ml: AzureMlStandIn, changes: dict[str, str], status: int, said: str
) -> None:
    prefix = "EDGETRAIN_COMPUTES__HUB_VM__"
    known = {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
    if changes.get("PORT") == "0":
        changes = {"PORT": str(free_port())}
    environment = settings | {f"EDGETRAIN_COMPUTES__WRONG_VM__{k}": v for k, v in (known | changes).items()}
    ended, document, _ = attach(environment, "wrong-vm")

    assert (ended, said in document["detail"]) == (status, True), document
    assert azure_ml.attachments("wrong-vm") == 0


def test_a_vm_whose_home_is_elsewhere_is_not_attached(settings: dict[str, str], azure_ml: AzureMlStandIn) -> None:
    status, document, _ = attach(settings | {"EDGETRAIN_COMPUTES__SECOND_VM__HOME": "/home/elsewhere"}, "second-vm")
    [result] = document["computes"]
    wrong = {each["check"] for each in result["checks"] if not each["right"]}

    assert (status, result["outcome"]) == (1, "not_attached")
    assert {"home", "job"} <= wrong
    assert "EDGETRAIN_COMPUTES__SECOND_VM__HOME" in result["settings"]


def test_without_settings_of_azure_ml_it_says_which(settings: dict[str, str]) -> None:
    environment = {name: value for name, value in settings.items() if "AZURE_ML" not in name}
    status, document, _ = attach(environment, "hub-vm")
    assert (status, "EDGETRAIN_AZURE_ML" in document["detail"]) == (1, True)


def test_looking_alone_attaches_nothing(settings: dict[str, str], azure_ml: AzureMlStandIn) -> None:
    before = azure_ml.attachments("hub-vm")
    environment = {name: value for name, value in settings.items() if name != "EDGETRAIN_AZURE_ML__CLIENT_SECRET"}
    status, document, _ = attach(environment, "hub-vm", "--check-only")

    assert (status, document["computes"][0]["outcome"]) == (0, "not_attached")
    assert azure_ml.attachments("hub-vm") == before
