"""Data into a real storage, predictions from a model's address, and the logs of a VM."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from shared.settings import HUB_API_VERSION
from tests.integration.command_line.conftest import edgetrain
from tests.support import app_answers as app
from tests.support.answering import SIGN_IN, Answering, Reply, answering
from tests.support.azurite import a_storage_key, running_azurite

DETAIL = f"GET /api/pipelines/{app.PIPELINE}"
HEADERS = {"x-edgetrain-run": app.PROMOTED, "x-edgetrain-model": app.PIPELINE, "x-edgetrain-version": "7\x1b"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_azurite(tmp_path_factory.mktemp("hub"), accounts={"hub": a_storage_key()}) as texts:
        yield texts["hub"]


def blobs(hub: str) -> dict[str, bytes]:
    with BlobServiceClient.from_connection_string(hub, api_version=HUB_API_VERSION) as service:
        container = service.get_container_client(app.PIPELINE)
        return {name: container.download_blob(name).readall() for name in container.list_blob_names()}


def test_files_are_uploaded_below_the_prefix_and_not_twice(
    served: Answering, hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_STORAGE", hub)
    served.answer = app.routes({DETAIL: app.answered(app.detail())})
    folder = tmp_path / "drop"
    (folder / "day 1").mkdir(parents=True)
    (folder / "day 1" / "Mühle.csv").write_bytes(b"1,2\n")
    (folder / "notes.txt").write_bytes(b"not data")
    (tmp_path / "rows.csv").write_bytes(b"3,4\n")
    upload = ("upload", app.PIPELINE, str(folder), "--holdout", str(tmp_path / "rows.csv"), "--yes")

    first, second = edgetrain(*upload), edgetrain(*upload, "--json")

    assert (first.status, second.status) == (0, 0)
    assert "data.pattern" in first.err
    assert json.loads(second.out)["uploaded"] == []
    assert blobs(hub) == {
        "landing/day 1/Mühle.csv": b"1,2\n",
        "landing/notes.txt": b"not data",
        "holdout/holdout.csv": b"3,4\n",
    }
    (tmp_path / "rows.csv").write_bytes(b"5,6\n")
    third = edgetrain(*upload)
    assert "it replaces holdout/holdout.csv" in third.err
    assert blobs(hub)["holdout/holdout.csv"] == b"5,6\n"


def test_an_upload_that_is_waited_for_ends_with_its_run(
    served: Answering, hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_STORAGE", hub)
    (tmp_path / "part-9.csv").write_bytes(b"1,2\n")
    looks = [
        app.a_why(None, verdict=None, sentence="no event of it was seen"),
        app.a_why(app.running()),
        app.a_why(app.failed()),
    ]

    def answer(_method: str, path: str) -> Reply:
        if "/why" not in path:
            return app.answered(app.detail())
        seen = sum("/why" in asked for asked in served.asked)
        return app.answered(looks[min(seen, len(looks)) - 1])

    served.answer = answer

    ended = edgetrain("upload", app.PIPELINE, str(tmp_path / "part-9.csv"), "--yes", "--wait")

    assert ended.status == 1
    assert "blob=landing%2Fpart-9.csv" in served.asked[-1]
    assert f"edgetrain logs {app.FAILED}" in ended.err


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 2),
        ("nonsense", 1),
        ("BlobEndpoint=http://127.0.0.1:1/hub;AccountName=hub;AccountKey=c2VjcmV0", 3),
        ("BlobEndpoint={};AccountName=hub;AccountKey=c2VjcmV0", 3),
    ],
    ids=["none", "no connection string", "nothing listens", "not a storage"],
)
def test_storages_that_take_nothing(
    served: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, status: int
) -> None:
    (tmp_path / "x.csv").write_bytes(b"1\n")
    served.answer = app.routes({DETAIL: app.answered(app.detail())})
    with answering() as other:
        other.answer = lambda _method, _path: SIGN_IN
        monkeypatch.setenv("HUB_STORAGE", text.format(other.url))

        ended = edgetrain("upload", app.PIPELINE, str(tmp_path / "x.csv"), "--yes")

    assert ended.status == status
    assert "c2VjcmV0" not in ended.err + ended.out


def test_files_that_cannot_be_uploaded_are_named(served: Answering, tmp_path: Path) -> None:
    served.answer = app.routes({DETAIL: app.answered(app.detail())})
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.csv").write_bytes(b"")

    for paths in ((), ("nowhere.csv",), ("one", "two")):
        ended = edgetrain("upload", app.PIPELINE, *paths, "--yes")
        assert ended.status == 2, ended


@pytest.fixture
def model(served: Answering) -> Iterator[Answering]:
    """A model that serves where the app says."""
    with answering() as model:
        model.answer = lambda _method, _path: Reply(body=b'{"predictions": [1]}', headers=HEADERS)
        found = app.targets()
        rows = [{**row, "endpoint": model.url} for row in json.loads(app.answered(found).body)["targets"]]
        body = json.dumps({"targets": rows}).encode()
        served.answer = app.routes({"GET /api/targets": Reply(body=body), DETAIL: app.answered(app.detail())})
        yield model


def test_a_prediction_comes_with_model_version_and_run(model: Answering, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"rows": [[1]]}')

    shown, raw = (
        edgetrain("score", app.PIPELINE, "request.json"),
        edgetrain("score", app.PIPELINE, "request.json", "--json"),
    )

    assert shown.status == 0
    assert '{"predictions": [1]}' in shown.out
    assert "\x1b" not in shown.out
    assert json.loads(raw.out)["run_id"] == app.PROMOTED
    assert json.loads(raw.out)["answer"] == {"predictions": [1]}
    assert model.asked[0] == "POST /score"
    assert model.sent[0][1] == b'{"rows": [[1]]}'
    assert "x-functions-key" not in model.sent[0][0], "the app's key is not for the model"


def test_a_request_on_the_input(model: Answering) -> None:
    assert edgetrain("score", app.PIPELINE, "-", given='{"rows": []}').status == 0
    assert model.sent[0][1] == b'{"rows": []}'


@pytest.mark.parametrize(
    ("reply", "status"),
    [(Reply(status=400, body=b'{"error": "rows: are missing"}'), 1), (Reply(status=503), 1), (SIGN_IN, 3)],
)
def test_models_that_do_not_answer_with_a_prediction(model: Answering, reply: Reply, status: int) -> None:
    model.answer = lambda _method, _path: reply

    assert edgetrain("score", app.PIPELINE, "-", given="{}").status == status


def test_requests_that_are_none(model: Answering, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "huge.json").write_bytes(b"1" * 2_000_000)

    for file in ("nowhere.json", "empty.json", "huge.json", "."):
        assert edgetrain("score", app.PIPELINE, file).status == 2
    assert model.asked == []


def test_a_pipeline_without_a_model(served: Answering) -> None:
    served.answer = app.routes(
        {"GET /api/targets": Reply(body=b'{"targets": []}'), DETAIL: app.answered(app.detail(champion=None))}
    )

    ended = edgetrain("score", app.PIPELINE, "-", given="{}")

    assert ended.status == 1
    assert f"edgetrain runs {app.PIPELINE}" in ended.err


def test_a_log_is_printed_where_the_vm_is_this_machine(served: Answering, tmp_path: Path) -> None:
    home = tmp_path / "vm"
    logs = home / "edgetrain" / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / f"{app.FAILED}.log").write_bytes(b"first\n  indented \x1b[2J\xff\nlast\n")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "endpoints.json").write_text(
        json.dumps({"functions_host": {"url": served.url}, "vm": {"home": str(home)}})
    )
    served.answer = app.routes(
        {f"GET /api/runs/{app.FAILED}": app.answered(app.failed()), DETAIL: app.answered(app.detail())}
    )

    shown, raw = edgetrain("logs", app.FAILED), edgetrain("logs", app.FAILED, "--json", "--tail", "1")

    assert shown.status == 0
    assert "  indented \\x1b[2J" in shown.out
    assert json.loads(raw.out)["lines"] == ["last"]


def test_elsewhere_the_command_is_named(served: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__ADDRESS", "192.0.2.7")
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__USERNAME", "train")
    served.answer = app.routes(
        {f"GET /api/runs/{app.FAILED}": app.answered(app.failed()), DETAIL: app.answered(app.detail())}
    )

    ended = edgetrain("logs", app.FAILED, "--json")

    assert json.loads(ended.out)["lines"] is None
    assert json.loads(ended.out)["command"] == f"ssh train@192.0.2.7 cat edgetrain/state/logs/{app.FAILED}.log"
