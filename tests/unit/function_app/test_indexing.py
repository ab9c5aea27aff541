"""The app as the Functions worker finds it: a fresh interpreter, the root last on the path."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from function_app.api.operations import OPERATIONS
from function_app.page.addresses import SCREENS
from shared.contracts import ACTIVITIES

OF_THE_PAGE = {"page_asset", "page_icon", "page_action", "page_sign_in", "page_sign_out"}
ROOT = Path(__file__).resolve().parents[3]
_INDEX = """
import json, sys
sys.path.append(sys.argv[1])
import azure.functions as func
import function_app
registers = [name for name, value in vars(function_app).items() if isinstance(value, func.FunctionRegister)]
functions = function_app.app.get_functions()
print(json.dumps({
    "file": function_app.__file__,
    "registers": registers,
    "functions": {f.get_function_name(): f.get_trigger().type for f in functions},
    "anonymous": [f.get_function_name() for f in functions if '"authLevel": "ANONYMOUS"' in str(f.get_raw_bindings())],
    "bus": [f.get_raw_bindings() for f in functions if f.get_function_name() == "on_training_request"],
    "slow": [name for name in sys.argv[2].split(",") if name in sys.modules],
}))
"""
_SLOW = "azureml,babel,jinja2,pydantic,azure.storage,azure.data.tables"


@pytest.fixture(scope="module")
def index() -> dict[str, object]:
    command = [sys.executable, "-I", "-W", "ignore", "-c", _INDEX, str(ROOT), _SLOW]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_marker_file_is_there_and_the_package_is_what_gets_imported(index: dict[str, object]) -> None:
    assert (ROOT / "function_app.py").is_file()
    assert index["file"] == str(ROOT / "function_app" / "__init__.py")


def test_exactly_one_app_is_found(index: dict[str, object]) -> None:
    assert index["registers"] == ["app"]


def test_every_function_is_indexed(index: dict[str, object]) -> None:
    functions = index["functions"]
    assert isinstance(functions, dict)
    by_kind: dict[str, set[str]] = {}
    for name, kind in functions.items():
        by_kind.setdefault(kind, set()).add(name)

    assert by_kind["activityTrigger"] == {activity.name for activity in ACTIVITIES}
    assert by_kind["orchestrationTrigger"] == {
        "settle_arrivals",
        "request_run",
        "retrain_model",
        "await_compute",
        "await_training",
        "guarded_step",
        "roll_out",
        "reach_goal",
        "roll_target_back",
        "retire_from_targets",
        "wind_up_run",
    }
    assert by_kind["EventGridTrigger"] == {"on_data_arrival", "on_training_status"}
    assert by_kind["timerTrigger"] == {"keep_watch"}
    assert by_kind["serviceBusTrigger"] == {"on_training_request"}
    screens = {screen.name for screen in SCREENS}
    assert by_kind["httpTrigger"] == {operation.name for operation in OPERATIONS} | screens | OF_THE_PAGE


def test_the_host_is_configured_to_hand_messages_over_as_bytes(index: dict[str, object]) -> None:
    assert '"dataType": "BINARY"' in str(index["bus"])


def test_the_host_asks_no_key_for_the_health_check_and_the_page_which_asks_itself(index: dict[str, object]) -> None:
    assert set(index["anonymous"]) == {"health", *OF_THE_PAGE, *(screen.name for screen in SCREENS)}  # type: ignore[call-overload]


def test_what_takes_long_to_import_is_not_imported_at_start(index: dict[str, object]) -> None:
    assert index["slow"] == []


_NEWER = """
import sys
import azure.functions as func
for name in sys.argv[2].split(","):
    delattr(func, name)  # as in a library that has not got it yet
sys.path.append(sys.argv[1])
import function_app
print(len(function_app.app.get_functions()))
"""
# What azure-functions got after 1.17, the oldest that the worker for Python 3.11 came with when this was written.
_LATER_NAMES = ("CloudEvent",)


def test_the_app_loads_with_a_library_that_has_not_got_the_newer_names(index: dict[str, object]) -> None:
    command = [sys.executable, "-I", "-W", "ignore", "-c", _NEWER, str(ROOT), ",".join(_LATER_NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    assert done.returncode == 0, done.stderr
    functions = index["functions"]
    assert isinstance(functions, dict)
    assert int(done.stdout) == len(functions)
