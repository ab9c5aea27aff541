"""What the app makes of a run whose metrics and files are told late, in part, by somebody else, or by an attacker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.azure_ml.paging import PAGE
from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab

Source = Callable[[str], Path]

MANY = 2 * PAGE + 3
GIB = 1 << 30
PAGE_OF_A_PROXY: dict[str, Any] = {"text": "<html>sign in</html>", "headers": {"Content-Type": "text/html"}}
LOGGED = f"""
from azureml.core import Run
run = Run.get_context(allow_offline=False)
for number in range({MANY}):
    run.log(f"metric-{{number:03}}", number)
run.log("zeta", 0.75)
run.flush()
"""
RECORDED = """
import json, pathlib
from azureml.core import Run
run = Run.get_context(allow_offline=False)
run.log("accuracy", 0.75)
run.flush()
pathlib.Path("outputs/model").mkdir(parents=True)
pathlib.Path("outputs/metrics.json").write_text(json.dumps({"accuracy": 0.5, "lost": 0.25, "text": "x"}))
for number in range(PARTS):
    pathlib.Path(f"outputs/model/part-{number:03}").write_text(str(number))
"""
# The SDK would tidy such names up; an attacker need not.
ATTACK = r"""
import requests
from azureml.core import Run
run = Run.get_context(allow_offline=False)
for name in ("outputs/absolute/STOLEN", r"outputs/upwards/..\stolen", "outputs/model/model.joblib"):
    made = run._client.artifacts.create_empty_artifacts("ExperimentRun", run._container, [name])
    address = made.artifact_content_information[name].content_uri
    requests.put(address, b"mine now", headers={"x-ms-blob-type": "BlockBlob"}).raise_for_status()
"""


@pytest.fixture(scope="module")
def runs(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """``logged-1`` left metrics only; ``recorded-1`` a file of metrics and a model of many files."""
    scripts = {"logged-1": LOGGED, "recorded-1": RECORDED.replace("PARTS", str(MANY))}
    for run_id, script in scripts.items():
        folder = tmp_path_factory.mktemp(run_id)
        (folder / "job.py").write_text(script, encoding="utf-8")
        lab.submit(run_id, folder)
    for run_id in scripts:
        assert lab.end(run_id)["status"] == "Completed"


@pytest.fixture
def azure_ml(lab: Lab, runs: None) -> Iterator[Lab]:
    yield lab
    lab.azure_ml.clear_faults()


def test_the_sdk_reads_one_page_of_names_so_what_is_judged_is_asked_for_by_name(azure_ml: Lab) -> None:
    listed = azure_ml.sdk(calls.read_metrics, "logged-1")
    named = azure_ml.sdk(calls.read_metrics, "logged-1", "zeta")

    assert "zeta" not in listed
    assert named["zeta"] == 0.75


@pytest.mark.parametrize("how", [{"status": 404}, {"status": 403}, PAGE_OF_A_PROXY])
def test_a_metric_service_that_is_down_is_trouble_and_not_a_run_without_metrics(
    azure_ml: Lab, how: dict[str, Any]
) -> None:
    azure_ml.azure_ml.fault("/metric/v2.0/.*/list$", **how)
    by_name = azure_ml.sdk(calls.read_metrics, "logged-1", "zeta")
    if how != {"status": 404}:
        azure_ml.azure_ml.fault("/metric/v2.0/.*/full$", **how)
        assert "Error: " in azure_ml.sdk(calls.read_metrics, "logged-1", "zeta")
        assert "Error: " in azure_ml.sdk(calls.read_metrics, "recorded-1", "accuracy")
    azure_ml.azure_ml.clear_faults()

    assert by_name == {"zeta": 0.75}
    assert azure_ml.sdk(calls.read_metrics, "logged-1", "zeta")["zeta"] == 0.75


def test_a_metric_that_nobody_logged_is_missing_for_good(azure_ml: Lab) -> None:
    assert "no-such" not in azure_ml.sdk(calls.read_metrics, "logged-1", "no-such")


def test_the_service_decides_what_is_judged_and_the_jobs_own_file_all_else(azure_ml: Lab) -> None:
    azure_ml.azure_ml.fault("/metric/v2.0/.*/list$", status=403)

    assert azure_ml.sdk(calls.read_metrics, "recorded-1", "accuracy") == {"accuracy": 0.75, "lost": 0.25}
    assert azure_ml.sdk(calls.read_metrics, "recorded-1", "lost") == {"accuracy": 0.5, "lost": 0.25}


def test_every_page_of_files_is_read(azure_ml: Lab, tmp_path: Path) -> None:
    names = [f"part-{number:03}" for number in range(MANY)]

    assert sorted(azure_ml.sdk(calls.names_below, "recorded-1", "outputs/model")) == names
    fetched = azure_ml.sdk(calls.fetch, "recorded-1", "outputs/model", tmp_path, GIB)
    assert fetched == {name: str(number).encode() for number, name in enumerate(names)}


@pytest.mark.parametrize("text", ["", "{}", '{"value": null}', '{"value": []}'])
@pytest.mark.parametrize("what", [r"/ExperimentRun/dcid\.recorded-1$", "/prefix/contentinfo/"])
def test_a_list_that_is_empty_all_at_once_is_no_list(azure_ml: Lab, what: str, text: str) -> None:
    azure_ml.azure_ml.fault(what, text=text, headers={"Content-Type": "application/json"})

    said = azure_ml.sdk(calls.names_below, "recorded-1", "outputs/model")

    assert said.startswith("TransientError: ")


def test_a_list_that_was_cut_at_its_second_page_is_no_list(azure_ml: Lab) -> None:
    url = azure_ml.azure_ml.service("artifact/v2.0") + "/artifacts/ExperimentRun/dcid.recorded-1"
    first = azure_ml.azure_ml.request("GET", url, token=azure_ml.azure_ml.token()).json()
    cut = json.dumps(first | {"continuationToken": None})
    azure_ml.azure_ml.fault(r"/ExperimentRun/dcid\.recorded-1$", text=cut, headers={"Content-Type": "application/json"})

    said = azure_ml.sdk(calls.names_below, "recorded-1", "outputs/model")

    assert said.startswith("TransientError")


def test_a_run_without_files_below_a_folder_has_none(azure_ml: Lab, tmp_path: Path) -> None:
    assert azure_ml.sdk(calls.names_below, "logged-1", "outputs/model") == []
    assert azure_ml.sdk(calls.fetch, "recorded-1", "outputs/nothing", tmp_path, GIB) == {}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (PAGE_OF_A_PROXY, "text/html (200)"),
        ({"text": ""}, "something else"),
        ({"text": "1", "headers": {"x-ms-request-id": "1", "Content-MD5": "AAAA"}}, "gave other bytes of"),
        ({"text": "gone", "status": 404, "headers": {"x-ms-request-id": "1"}}, "answered 404 for"),
    ],
)
def test_content_of_somebody_else_is_not_the_models(
    azure_ml: Lab, how: dict[str, Any], said: str, tmp_path: Path
) -> None:
    azure_ml.azure_ml.fault("/blobs/artifacts/.*part-040$", **how)

    answer = azure_ml.sdk(calls.fetch, "recorded-1", "outputs/model", tmp_path, GIB)

    assert answer.startswith("TransientError: ")
    assert said in answer
    assert "sig=" not in answer


def test_more_bytes_than_allowed_are_not_downloaded(azure_ml: Lab, tmp_path: Path) -> None:
    answer = azure_ml.sdk(calls.fetch, "recorded-1", "outputs/model", tmp_path, 12)

    assert answer.startswith("PermanentError")
    assert sum(path.stat().st_size for path in tmp_path.rglob("part-*")) <= 12


def test_a_training_script_writes_no_file_on_the_host(azure_ml: Lab, source: Source, tmp_path: Path) -> None:
    stolen, harmless = tmp_path / "stolen", tmp_path / "host"
    script = ATTACK.replace("STOLEN", str(stolen))
    harmless.mkdir()
    azure_ml.submit("attack-1", source(script))
    end = azure_ml.end("attack-1")
    assert end["status"] == "Completed", end

    answers = [
        azure_ml.sdk(calls.fetch, "attack-1", folder, harmless, GIB)
        for folder in ("outputs/absolute", "outputs/upwards")
    ]

    assert all(answer.startswith("PermanentError") for answer in answers), answers
    assert not stolen.exists()
    assert list(harmless.iterdir()) == []
    assert azure_ml.sdk(calls.fetch, "attack-1", "outputs/model", harmless, GIB) == {"model.joblib": b"mine now"}
