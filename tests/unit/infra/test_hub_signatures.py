"""The texts that a site's app and VM get of the hub's storage, and how they are written down."""

import io
import stat
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from infra.hub import __main__ as program
from infra.hub import signatures
from infra.hub.sas import VERSION
from infra.hub.signatures import OwnAccount, account_in, containers_of, require_folder, site_files, write_private
from shared.errors import PermanentError
from shared.pipelines import Pipelines
from shared.settings import HUB_API_VERSION

KEY = b64encode(b"a key").decode()
ENDS = "2027-06-30T12:00:00Z"
ENDPOINT = "https://plant7.blob.local.azurestack.external/"
ACCOUNT = OwnAccount(name="plant7", key=KEY, endpoint=ENDPOINT)
PIPELINES = Pipelines(Path(__file__).resolve().parents[3] / "pipelines")


def test_each_file_has_the_rights_of_the_table_and_no_others() -> None:
    files = site_files("factory", ACCOUNT, ends=ENDS)

    app, manifests, vm = (
        files[f"{name}.txt"] for name in ("factory-connection-string", "factory-manifests-sas", "connection-string")
    )
    before = f"BlobEndpoint={ENDPOINT};SharedAccessSignature="
    assert app.startswith(before)
    assert vm.startswith(before)
    fields = [dict(parse_qsl(text.removeprefix(before))) for text in (app, manifests, vm)]
    signed = [each.pop("sig") for each in fields]
    assert fields == [
        {"sp": "l", "ss": "b", "srt": "c", "se": ENDS, "sv": VERSION},
        {"sp": "rcwd", "sr": "c", "se": ENDS, "sv": VERSION},
        {"sp": "r", "ss": "b", "srt": "o", "se": ENDS, "sv": VERSION},
    ]
    assert len(set(signed)) == 3
    assert VERSION <= HUB_API_VERSION
    assert KEY not in "".join(files.values()) + repr(ACCOUNT)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (
            f"DefaultEndpointsProtocol=https;AccountName=plant7;AccountKey={KEY};EndpointSuffix=local.azurestack.external",
            ENDPOINT,
        ),
        (f'"EndpointSuffix=core.windows.net;AccountName=plant7;AccountKey={KEY};BlobEndpoint={ENDPOINT};"\n', ENDPOINT),
        (f"AccountName=plant7;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/plant7", "http://127.0.0.1:1/plant7"),
    ],
    ids=["by its suffix", "as az prints it", "by its address"],
)
def test_the_account_is_that_of_the_connection_string(text: str, endpoint: str) -> None:
    assert account_in(text) == OwnAccount(name="plant7", key=KEY, endpoint=endpoint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"AccountName=plant7;AccountKey={KEY}",
        f"AccountName=plant7;AccountKey={KEY};BlobEndpoint=http://[",
        KEY,
    ],
)
def test_what_is_no_connection_string_is_not_repeated(text: str) -> None:
    with pytest.raises(PermanentError, match="not the connection string of a storage account") as refused:
        account_in(text)
    assert KEY not in refused.value.reason


def test_a_site_gets_the_containers_of_its_pipelines() -> None:
    assert containers_of("factory", PIPELINES) == [
        "breast-cancer",
        "diabetes",
        "digits",
        "edgetrain-manifests",
        "scans",
    ]
    with pytest.raises(PermanentError, match="no pipeline has its data at a site 'plant'; give one of: factory"):
        containers_of("plant", PIPELINES)


def test_a_pipeline_that_cannot_be_read_may_need_a_container_too(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text("name: other")
    with pytest.raises(PermanentError, match="correct it first"):
        containers_of("factory", Pipelines(tmp_path))


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path, {"a": "after", "c": "\ud800"})
    assert (tmp_path / "a").read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]

    write_private(tmp_path, {"a": "after", "c": "new"})
    assert [(tmp_path / name).read_text() for name in "ac"] == ["after", "new"]
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ac"] == [0o600, 0o600]


def test_a_folder_holds_the_files_of_one_site(tmp_path: Path) -> None:
    require_folder(tmp_path, "factory")
    (tmp_path / "factory-connection-string.txt").touch()
    (tmp_path / "connection-string.txt").touch()
    require_folder(tmp_path, "factory")
    with pytest.raises(PermanentError, match="a folder for each site"):
        require_folder(tmp_path, "plant")
    with pytest.raises(PermanentError, match="is no folder; make it first"):
        require_folder(tmp_path / "none", "factory")


def test_nothing_is_asked_of_the_account_before_there_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signatures, "BlobServiceClient", None)
    own = tmp_path / "account.txt"
    own.write_text(f"AccountName=plant7;AccountKey={KEY};EndpointSuffix=local.azurestack.external")

    command = ["signatures", "--site", "factory", "--account-file", str(own), "--out"]
    assert program.main([*command, str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert program.main(["signatures", "--site", "factory", "--account-file", "none", "--out", str(tmp_path)]) == 1
    assert "none cannot be used" in capsys.readouterr().err


def test_at_a_terminal_the_connection_string_is_asked_for_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    monkeypatch.setattr("getpass.getpass", lambda _: "nonsense")
    assert program.main(["signatures", "--site", "factory", "--out", str(tmp_path)]) == 1
    assert "not the connection string" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "3651", "soon"])
def test_days_are_counted_in_reason(days: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["signatures", "--site", "factory", "--out", str(tmp_path), "--days", days])
    assert "--days" in capsys.readouterr().err
