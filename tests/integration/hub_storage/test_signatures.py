"""``python -m infra.hub signatures`` on a real blob service: app and VM work with its files, and may do no more."""

import io
import re
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from infra.hub import __main__ as program
from infra.hub.signatures import account_in, site_files
from local_stack.azure_ml.tls import ensure_certificates
from shared.clients.hub_examination import Answer, Right, examine_hub
from shared.clients.hub_storage import HubStorage
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.pipelines import Pipelines
from shared.settings import HUB_API_VERSION, Site
from site_agent.job.hub import HubError, HubReader
from site_agent.job.hub import Site as VmSite
from tests.support.arrivals import a_pipeline
from tests.support.azurite import a_storage_key, running_azurite

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = "diabetes"
NAMES = ("factory-connection-string.txt", "factory-manifests-sas.txt", "connection-string.txt")


def made(
    folder: Path, connection_string: str, monkeypatch: pytest.MonkeyPatch, *more: str, site: str = "factory"
) -> int:
    """Run the command with the account's connection string on its input; returns the exit status."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{connection_string}\n".encode())))
    return program.main(["signatures", "--site", site, "--out", str(folder), *more])


@pytest.fixture
def files(guarded: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    assert made(tmp_path, guarded["new"], monkeypatch) == 0
    return {name: (tmp_path / name).read_text() for name in NAMES}


@pytest.fixture
def app(files: dict[str, str]) -> Site:
    signature = SecretStr(files["factory-manifests-sas.txt"])
    text = SecretStr(files["factory-connection-string.txt"])
    return Site(connection_string=text, sas={"edgetrain_manifests": signature})


def put(text: str, blobs: dict[str, bytes]) -> None:
    with BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as owner:
        for name, content in blobs.items():
            owner.get_blob_client(CONTAINER, name).upload_blob(content, overwrite=True)


def test_it_makes_what_is_missing_once_and_files_that_only_their_owner_can_read(
    accounts: dict[str, str],
    guarded: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / NAMES[2]).write_text("an older one, open to all")
    (tmp_path / NAMES[2]).chmod(0o644)

    assert made(tmp_path, guarded["new"], monkeypatch, "--days", "30") == 0
    said = capsys.readouterr().out
    assert made(tmp_path, guarded["new"], monkeypatch, "--days", "30") == 0
    again = capsys.readouterr().out

    wanted = {MANIFESTS, *(each.data.container for each in Pipelines(ROOT / "pipelines").all)}
    with BlobServiceClient.from_connection_string(accounts["new"], api_version=HUB_API_VERSION) as owner:
        assert {each.name for each in owner.list_containers()} == wanted
        assert [each.public_access for each in owner.list_containers()] == [None] * len(wanted)
    assert said.count("container ") == again.count(": was there") == len(wanted)
    assert f"end on {datetime.now(UTC) + timedelta(days=30):%Y-%m-%d} at" in again
    assert {each.name for each in tmp_path.iterdir()} == set(NAMES)
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    key = guarded["new"].partition("AccountKey=")[2].partition(";")[0]
    for name in NAMES:
        text = (tmp_path / name).read_text()
        assert text == text.strip(), "a line break would become a part of the secret"
        assert key not in text + said


def test_the_app_does_its_work_with_them_and_may_do_no_more(app: Site, accounts: dict[str, str]) -> None:
    pipeline = a_pipeline(container=CONTAINER)
    row = f"{pipeline.data.prefix}a.csv"
    put(accounts["new"], {pipeline.data.holdout: b"x\n1\n", row: b"x\n2\n"})

    with closing(HubStorage("factory", app)) as hub:
        snapshot = hub.take_snapshot(pipeline)
        assert hub.find_in_manifest(snapshot.manifest, row) == hub.blob(pipeline, row)
        assert hub.remove_manifest(snapshot.manifest, unused_for=timedelta(days=-1))
    seen = examine_hub("factory", app, [(CONTAINER, pipeline.data.holdout)])

    may = {
        place: {right for right, told in found.items() if told.answer is Answer.MAY}
        for place, found in seen.rights.items()
    }
    assert may == {CONTAINER: {Right.LIST}, MANIFESTS: {Right.READ, Right.WRITE, Right.DELETE}}
    for container, found in seen.rights.items():
        assert {told.answer for told in found.values()} <= {Answer.MAY, Answer.MAY_NOT}, container


def test_the_vm_reads_with_its_own_and_may_do_no_more(
    app: Site, files: dict[str, str], accounts: dict[str, str]
) -> None:
    pipeline = a_pipeline(container=CONTAINER)
    row = f"{pipeline.data.prefix}a.csv"
    put(accounts["new"], {pipeline.data.holdout: b"x\n1\n", row: b"x\n2\n"})
    with closing(HubStorage("factory", app)) as hub:
        manifest = hub.take_snapshot(pipeline).manifest
    given = VmSite(connection_string=files["connection-string.txt"], api_version=HUB_API_VERSION)

    with closing(HubReader(given)) as reader:
        listed = reader.manifest(MANIFESTS, manifest)
        assert {each.name: b"".join(reader.chunks(CONTAINER, each)) for each in listed.blobs} == {row: b"x\n2\n"}
        reader.require_access(CONTAINER, pipeline.data.holdout)
        reader.require_access(CONTAINER, "not/there.csv")
    with BlobServiceClient.from_connection_string(given.connection_string, api_version=HUB_API_VERSION) as vm:
        data = vm.get_container_client(CONTAINER)
        attempts: list[Any] = [
            lambda: list(data.list_blobs()),
            lambda: list(vm.list_containers()),
            lambda: data.upload_blob(row, b"forged", overwrite=True),
            lambda: data.upload_blob("new.csv", b"forged"),
            lambda: data.delete_blob(row),
            lambda: vm.get_blob_client(MANIFESTS, manifest).delete_blob(),
            lambda: vm.create_container("another"),
            data.delete_container,
        ]
        for attempt in attempts:
            with pytest.raises(HttpResponseError) as refused:
                attempt()
            assert refused.value.status_code == 403


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "this is not the connection string of a storage account"),
        (lambda text: text.partition("BlobEndpoint=")[0], "and BlobEndpoint or EndpointSuffix"),
        (lambda text: text.replace("AccountKey=", "AccountKey=%"), "this is not the connection string"),
        (lambda text: f"{text};SharedAccessSignature=sv=1&sig=2", "has a signature, which signs no others"),
        (
            lambda text: text.replace(text.partition("AccountKey=")[2].partition(";")[0], a_storage_key()),
            "refused the credentials (403)",
        ),
        (lambda text: re.sub(r":\d+/", ":1/", text), "see that it is reached from here"),
    ],
    ids=["nothing", "no address", "no key", "a signature", "another key", "nobody there"],
)
def test_what_is_wrong_is_said_without_the_key_and_nothing_is_written(
    guarded: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Any,
    said: str,
) -> None:
    text = change(guarded["new"])

    assert made(tmp_path, text, monkeypatch) == 1

    output = capsys.readouterr()
    assert said in output.err
    assert guarded["new"].partition("AccountKey=")[2][:20] not in output.err
    assert list(tmp_path.iterdir()) == []


def test_an_authority_of_ones_own_is_named_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain, key, bundle = ensure_certificates(tmp_path)
    (tmp_path / "out").mkdir()
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with running_azurite(tmp_path / "azurite", services=["blob"], tls=(chain, key)) as texts:
        assert made(tmp_path / "out", texts["testaccount"], monkeypatch) == 1
        assert "the hub's own and the public ones in REQUESTS_CA_BUNDLE" in capsys.readouterr().err
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert made(tmp_path / "out", texts["testaccount"], monkeypatch) == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_signature_that_has_ended_opens_nothing(files: dict[str, str], guarded: dict[str, str]) -> None:
    given = parse_qs(files["connection-string.txt"])
    assert given["se"][0] > f"{datetime.now(UTC) + timedelta(days=179):%Y-%m-%d}"
    ended = site_files("factory", account_in(guarded["new"]), ends="2020-01-01T00:00:00Z")
    with (
        closing(HubReader(VmSite(ended["connection-string.txt"], HUB_API_VERSION))) as reader,
        pytest.raises(HubError, match="403"),
    ):
        reader.require_access(CONTAINER, "any")
