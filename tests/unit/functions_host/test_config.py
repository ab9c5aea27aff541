import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local_stack.functions_host.config import (
    ONE_CORE_THREADS,
    HostConfigError,
    is_disabled,
    load_host_config,
    load_settings,
    resolve,
    thread_count,
    worker_count,
)


def host_json(root: Path, **content: Any) -> Path:
    (root / "host.json").write_text(json.dumps({"version": "2.0", **content}), encoding="utf-8")
    return root


def test_defaults(tmp_path: Path) -> None:
    config = load_host_config(host_json(tmp_path), {})

    assert config.hub_name == "TestHubName"
    assert config.route_prefix == "api"
    assert config.function_timeout == timedelta(minutes=30)
    assert config.max_activities == config.max_orchestrators >= 10


def test_values_are_read_without_case_and_settings_override_them(tmp_path: Path) -> None:
    root = host_json(
        tmp_path,
        FunctionTimeout="1.02:03:04",
        extensions={
            "DurableTask": {"hubName": "RetrainHub", "maxConcurrentActivityFunctions": 3},
            "http": {"routePrefix": ""},
        },
    )

    config = load_host_config(
        root, {"AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "5"}
    )

    assert config.hub_name == "RetrainHub"
    assert config.route_prefix == ""
    assert config.function_timeout == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert config.max_activities == 5


def test_a_timeout_of_minus_one_is_none(tmp_path: Path) -> None:
    assert load_host_config(host_json(tmp_path, functionTimeout="-1"), {}).function_timeout is None


def test_the_hub_name_may_come_from_a_setting(tmp_path: Path) -> None:
    root = host_json(tmp_path, extensions={"durableTask": {"hubName": "%HUB%"}})

    assert load_host_config(root, {"HUB": "FromSetting"}).hub_name == "FromSetting"


def test_what_is_not_served_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = host_json(tmp_path, watchDirectories=[], extensions={"durableTask": {"extendedSessionsEnabled": True}})

    with caplog.at_level(logging.WARNING):
        load_host_config(root, {})

    assert "key=watchdirectories" in caplog.text
    assert "key=durableTask.extendedSessionsEnabled reason=is forced off for Python" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"version": "1.0"}, '"version" must be "2.0"'),
        ({"functionTimeout": "soon"}, "functionTimeout"),
        ({"extensions": {"durableTask": {"hubName": "x"}}}, "hubName"),
        ({"extensions": {"durableTask": {"hubName": "1abc"}}}, "hubName"),
        ({"extensions": {"durableTask": {"hubName": "%ABSENT%"}}}, "%ABSENT%"),
        ({"extensions": {"durableTask": {"maxConcurrentActivityFunctions": 0}}}, "at least 1"),
        ({"extensions": {"durableTask": {"maxConcurrentActivityFunctions": "many"}}}, "must be a number"),
        ({"extensions": {"durableTask": 3}}, "must be an object"),
    ],
)
def test_a_bad_host_json_is_refused_by_key(tmp_path: Path, content: dict[str, Any], reason: str) -> None:
    with pytest.raises(HostConfigError, match=reason):
        load_host_config(host_json(tmp_path, **content), {})


def test_host_json_must_exist_and_be_json(tmp_path: Path) -> None:
    with pytest.raises(HostConfigError, match=r"no host\.json"):
        load_host_config(tmp_path, {})
    (tmp_path / "host.json").write_text("{", encoding="utf-8")
    with pytest.raises(HostConfigError, match=r"host\.json is not JSON"):
        load_host_config(tmp_path, {})


def test_local_settings_fill_in_what_the_environment_lacks(tmp_path: Path) -> None:
    values = {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(values), encoding="utf-8")
    environment = {"A": "environment"}

    load_settings(tmp_path, environment)

    assert environment == {"A": "environment", "B": "file"}


def test_local_settings_are_optional_but_not_arbitrary(tmp_path: Path) -> None:
    load_settings(tmp_path, {})
    (tmp_path / "local.settings.json").write_text('{"Values": {"A": 1}}', encoding="utf-8")

    with pytest.raises(HostConfigError, match="object of strings"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("settings", "disabled"),
    [
        ({"AzureWebJobs.tick.Disabled": "true"}, True),
        ({"AzureWebJobs_tick_Disabled": "1"}, True),
        ({"AzureWebJobs.tick.Disabled": "false"}, False),
        ({"AzureWebJobs.other.Disabled": "true"}, False),
    ],
)
def test_a_setting_disables_a_function(settings: dict[str, str], disabled: bool) -> None:
    assert is_disabled("tick", settings) is disabled


def test_the_thread_count_is_pythons_own_unless_set() -> None:
    assert thread_count({}) is None
    assert thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "4"}) == 4
    with pytest.raises(HostConfigError, match="positive number"):
        thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "0"})


def test_placeholders_resolve_or_are_named() -> None:
    assert resolve("0 %MINUTE% * * * *", {"MINUTE": "5"}) == "0 5 * * * *"
    with pytest.raises(HostConfigError, match="%MINUTE%"):
        resolve("%MINUTE%", {})


def test_activities_leave_a_thread_of_the_smallest_worker_to_orchestrations() -> None:
    """On one core without the setting, and with the number that the example of the settings gives."""
    root = Path(__file__).resolve().parents[3]
    config = load_host_config(root, {})
    example = json.loads((root / "local.settings.json.example").read_text(encoding="utf-8"))["Values"]

    assert config.max_activities < ONE_CORE_THREADS
    assert config.max_activities + config.max_orchestrators <= (thread_count(example) or 0)


def test_one_worker_process_unless_the_setting_says_more() -> None:
    assert worker_count({}) == 1
    assert worker_count({"FUNCTIONS_WORKER_PROCESS_COUNT": "3"}) == 3


@pytest.mark.parametrize("text", ["0", "11", "many"])
def test_a_count_of_workers_that_the_host_would_not_take(text: str) -> None:
    with pytest.raises(HostConfigError, match="FUNCTIONS_WORKER_PROCESS_COUNT"):
        worker_count({"FUNCTIONS_WORKER_PROCESS_COUNT": text})
