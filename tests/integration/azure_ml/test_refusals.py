"""What the stand-in refuses, and in which words: keys, tokens, names, unreachable VMs."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab
from tests.integration.azure_ml.stand_in import StandIn
from tests.support.serving_host import free_port
from tests.support.sshd import SshServer, running_sshd

Source = Callable[[str], Path]

CONFIGURATION = {
    "script": "job.py",
    "target": "vm",
    "environment": {"python": {"userManagedDependencies": True, "interpreterPath": "/bin/true"}},
}


def test_the_private_key_is_kept_for_the_owner_and_shown_nowhere(lab: Lab, vm: SshServer) -> None:
    attached = lab.attach("guarded", vm)
    shown = lab.azure_ml.request(
        "GET", lab.azure_ml.service("rp/workspaces") + "/computes", token=lab.azure_ml.token()
    ).text

    assert (attached["address"], attached["port"]) == (vm.address, vm.port)
    assert "guarded" in attached["all"]
    secret = vm.private_key_file.read_text(encoding="utf-8").splitlines()[1]
    holders = [
        path for path in lab.azure_ml.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert holders
    assert all(path.suffix == ".key" and path.stat().st_mode & 0o777 == 0o600 for path in holders)
    assert secret not in shown + lab.azure_ml.log


def test_secrets_and_tokens_stay_out_of_the_log(lab: Lab) -> None:
    endpoints = lab.azure_ml.endpoints

    assert (lab.azure_ml.state / "endpoints.json").stat().st_mode & 0o777 == 0o600
    for secret in (endpoints["client_secret"], endpoints["faults_key"], "sig=", "Bearer", "eyJ"):
        assert secret not in lab.azure_ml.log


def test_a_wrong_secret_opens_nothing(lab: Lab) -> None:
    said = lab.sdk(calls.opening_error, lab.azure_ml.endpoints | {"client_secret": "wrong"})

    assert "AADSTS7000215" in said


def test_a_vm_that_refuses_connections_fails_the_run_with_its_address(lab: Lab, vm: SshServer, source: Source) -> None:
    port = free_port()
    lab.attach("gone", vm, port=port)
    lab.submit("refused-1", source("print('never')"), target="gone")

    end = lab.end("refused-1")

    assert end["status"] == "Failed"
    assert end["error"].startswith(f"SSH to {vm.username}@{vm.address}:{port} failed")
    assert "is up" in end["error"]
    assert lab.azure_ml.trainings("refused-1") == 0


def test_a_vm_with_an_unknown_host_key_is_not_spoken_to(lab: Lab, source: Source, tmp_path: Path) -> None:
    with running_sshd(tmp_path / "other") as other:
        lab.attach("other", other)
        lab.submit("unknown-1", source("print('never')"), target="other")
        end = lab.end("unknown-1")

        assert end["status"] == "Failed"
        assert "host key" in end["error"]
        assert not (other.home / "azureml").exists()


def test_a_training_may_not_do_what_clients_may(lab: Lab, source: Source) -> None:
    lab.submit("token-1", source("print('done')"))
    lab.end("token-1")
    history = lab.azure_ml.service("history/v1.0")
    run = f"{history}/experiments/{calls.EXPERIMENT}/runs/token-1"
    token = lab.azure_ml.request("GET", f"{run}/token", token=lab.azure_ml.token()).json()["token"]

    assert lab.azure_ml.request("GET", run, token=token).status_code == 200
    for path in ("/subscriptions", lab.azure_ml.service("rp/workspaces") + "/computes", "/_stats"):
        assert lab.azure_ml.request("GET", path, token=token).status_code == 403


def test_another_workspace_or_experiment_does_not_answer(lab: Lab) -> None:
    token = lab.azure_ml.token()
    models = lab.azure_ml.service("modelmanagement/v1.0") + "/models"

    assert lab.azure_ml.request("GET", models, token=token).status_code == 200
    assert lab.azure_ml.request("GET", models.replace("/workspaces/", "/workspaces/x"), token=token).status_code == 404
    assert lab.azure_ml.request("GET", models).status_code == 401


@pytest.mark.parametrize(
    ("run_id", "changes", "said"),
    [
        ("..", {}, "is no run id"),
        ("a/b", {}, "is no run id"),
        ("fine-1", {"docker": {"useDocker": True}}, "docker is not supported"),
        ("fine-1", {"nodeCount": 2}, "nodeCount above 1"),
        ("fine-1", {"script": "../job.py"}, "path"),
        ("fine-1", {"environment": {"python": {"userManagedDependencies": False}}}, "that the service builds"),
        ("fine-1", {}, "Snapshot none"),
    ],
)
def test_a_run_that_cannot_be_done_is_refused(lab: Lab, run_id: str, changes: dict[str, object], said: str) -> None:
    path = f"{lab.azure_ml.service('execution/v1.0')}/experiments/{calls.EXPERIMENT}/snapshotrun"
    body = {"SnapshotId": "none", "Configuration": CONFIGURATION | changes}

    answer = lab.azure_ml.request("POST", path, params={"runId": run_id}, json=body, token=lab.azure_ml.token())

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert answer.json()["error"]["details"] == []


def test_what_is_not_understood_is_400_and_what_is_not_answered_404(lab: Lab) -> None:
    token = lab.azure_ml.token()
    compute = lab.azure_ml.service("")[1:] + "/computes/odd"

    broken = lab.azure_ml.request("PUT", compute, data="{", token=token)
    strange = lab.azure_ml.request("PUT", compute, json={"properties": {"computeType": "AKS"}}, token=token)
    unknown = lab.azure_ml.request("GET", "/hyperdrive/v1.0", token=token)

    assert [answer.status_code for answer in (broken, strange, unknown)] == [400, 400, 404]
    assert all(answer.json()["error"]["message"] for answer in (broken, strange, unknown))


def test_a_blob_is_written_once_in_blocks_and_read_in_ranges(lab: Lab) -> None:
    send, token = lab.azure_ml.request, lab.azure_ml.token()
    place = lab.azure_ml.service("artifact/v2.0") + "/artifacts"
    made = send(
        "POST", f"{place}/batch/metadata/LocalUpload/x1", json={"paths": [{"path": "big.bin"}]}, token=token
    ).json()
    url = made["artifactContentInformation"]["big.bin"]["contentUri"]
    assert url.startswith("https://emu.blob.local@127.0.0.1:")  # the form that the SDK can take apart
    ids = [base64.b64encode(name).decode() for name in (b"block-1", b"block-2")]

    assert send("GET", f"{place}/contentinfo/LocalUpload/x1/big.bin", token=token).status_code == 404
    for name, content in zip(reversed(ids), (b"world", b"hello "), strict=True):
        assert send("PUT", url, params={"comp": "block", "blockid": name}, data=content).status_code == 201
    listed = "".join(f"<Latest>{name}</Latest>" for name in ids)
    whole = send("PUT", url, params={"comp": "blocklist"}, data=f"<BlockList>{listed}</BlockList>")
    again = send("PUT", url, headers={"If-None-Match": "*", "x-ms-blob-type": "BlockBlob"}, data=b"other")

    found = send("GET", f"{place}/contentinfo/LocalUpload/x1/big.bin", token=token).json()["contentUri"]
    part = send("GET", found, headers={"Range": "bytes=6-"})
    head = send("HEAD", found)
    assert whole.status_code == 201
    assert (again.status_code, again.headers["x-ms-error-code"]) == (409, "BlobAlreadyExists")
    assert send("GET", found).content == b"hello world"
    assert (part.status_code, part.content) == (206, b"world")
    assert (head.headers["Content-Length"], head.headers["x-ms-blob-type"]) == ("11", "BlockBlob")
    assert send("PUT", found, headers={"x-ms-blob-type": "BlockBlob"}, data=b"x").status_code == 403
    assert send("GET", found.replace("sig=", "sig=0")).status_code == 403


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    started = StandIn(tmp_path)
    started.start()
    yield started
    started.stop()


def test_the_workspace_keeps_its_ids_and_secrets(stand_in: StandIn) -> None:
    before = stand_in.endpoints

    stand_in.stop()
    stand_in.start()

    assert stand_in.endpoints == before
    assert stand_in.token().count(".") == 2


def test_a_second_one_on_the_same_state_refuses_to_start(stand_in: StandIn) -> None:
    second = StandIn(stand_in.folder)

    with pytest.raises(AssertionError, match="another stand-in"):
        second.start()

    assert second.process is not None
    assert second.process.returncode == 2
    assert stand_in.token()


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_blobs_refuse_in_the_form_of_blob_storage(lab: Lab, method: str) -> None:
    """XML with the code, which a header repeats; everything else of the service speaks JSON."""
    answer = lab.azure_ml.request(method, "/blobs/a/b?sig=wrong&sp=r")

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    assert answer.headers["content-type"] == "application/xml"
    if method != "HEAD":
        assert ET.fromstring(answer.content).findtext("Code") == "AuthenticationFailed"
    assert lab.azure_ml.request("GET", lab.azure_ml.service("rp/workspaces")).json()["error"]["code"]
