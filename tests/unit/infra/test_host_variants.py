"""``host.json`` for each backend of orchestrations: nothing else differs, and Bicep sets what they name."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.checks.bicep import BicepFile, parse
from infra.host import CHANGES, STORAGE, USUAL_BUNDLE, backend_in, document, written
from local_stack.functions_host.config import load_host_config
from tests.support.documents import ROOT

OTHERS = sorted(set(CHANGES) - {STORAGE})


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {leaf: each for key, inner in value.items() for leaf, each in leaves(inner, f"{path}/{key}").items()}


@pytest.mark.parametrize("backend", OTHERS)
def test_a_variant_is_the_hosts_file_but_for_its_backend(backend: str) -> None:
    text = written(backend)
    usual, variant = leaves(document(STORAGE)), leaves(json.loads(text))

    differing = {path for path in usual.keys() | variant.keys() if usual.get(path) != variant.get(path)}

    assert all(path.startswith(("/extensions/durableTask/storageProvider/", "/extensionBundle/")) for path in differing)
    assert backend_in(text) == backend


@pytest.mark.parametrize("backend", [STORAGE, *OTHERS])
def test_each_is_a_file_that_a_host_reads(backend: str, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(written(backend), encoding="utf-8")

    config = load_host_config(tmp_path, {})

    assert config == load_host_config(ROOT, {})


@pytest.mark.parametrize("backend", OTHERS)
def test_bicep_sets_the_connection_that_the_file_names(backend: str) -> None:
    name = document(backend)["extensions"]["durableTask"]["storageProvider"]["connectionStringName"]
    app = (ROOT / "infra" / "modules" / "app.bicep").read_text(encoding="utf-8")
    main = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")

    assert f"name: '{name}'" in app
    allowed = re.search(r"@allowed\(\[([^\]]*)\]\)\s*param durableBackend string = '(\w+)'", main)
    assert allowed is not None
    assert sorted(re.findall(r"'(\w+)'", allowed[1])) == sorted(CHANGES)
    assert allowed[2] == STORAGE


def test_the_file_at_the_top_is_the_usual_one_and_comes_back_as_it_was() -> None:
    usual = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))

    assert backend_in(written(STORAGE)) == STORAGE
    assert document(STORAGE) == usual
    assert usual["extensionBundle"]["version"] == USUAL_BUNDLE


@pytest.mark.parametrize("backend", [STORAGE, *OTHERS])
def test_the_host_sends_its_own_spans(backend: str) -> None:
    """What docs/telemetry.md says of Azure is said of this mode; the local host does not know it."""
    assert document(backend)["telemetryMode"] == "OpenTelemetry"


def test_the_schedulers_hub_has_the_name_that_the_host_asks_for() -> None:
    scheduler = (ROOT / "infra" / "modules" / "scheduler.bicep").read_text(encoding="utf-8")
    hub = re.search(
        r"resource hub 'Microsoft.DurableTask/schedulers/taskHubs@[^']*' = \{\s*parent: scheduler\s*name: '(\w+)'",
        scheduler,
    )

    assert hub is not None
    assert hub[1] == document("scheduler")["extensions"]["durableTask"]["hubName"]


@pytest.mark.parametrize(("wanted", "status"), [(STORAGE, 0), ("mssql", 1)])
def test_a_file_for_another_backend_is_noticed_before_it_is_deployed(wanted: str, status: int) -> None:
    """azd runs this before it packs the app."""
    command = [sys.executable, "-m", "infra.host", "--check", wanted]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == status, done.stderr
    assert ("python3 -m infra.host mssql" in done.stderr) == bool(status)


def test_azd_looks_at_the_file_whenever_it_packs() -> None:
    """``azd deploy`` packs too, and runs hooks of the service alone for that (its cmd/middleware/hooks.go)."""
    project = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    before_packing = {"shell": "sh", "run": "python3 -m infra.host --check"}

    assert {name: service.get("hooks") for name, service in project["services"].items()} == {
        "app": {"prepackage": before_packing}
    }
    assert "prepackage" not in project["hooks"]


def test_beside_the_scheduler_records_are_kept_no_longer_than_it_keeps_histories() -> None:
    app = parse(ROOT / "infra" / "modules" / "app.bicep", "app.bicep")
    scheduler = (ROOT / "infra" / "modules" / "scheduler.bicep").read_text(encoding="utf-8")
    assert isinstance(app, BicepFile)

    operands = app.variables["besidesTheScheduler"]["operator"]["operands"]
    merged = app.variables["ofSites"]["loop_type"]["detail"]["array_name"]["function"]["parameters"]["arg_1"][
        "function"
    ]

    assert "name: 'Consumption'" in scheduler, "which keeps histories for 30 days; Dedicated for 90"
    assert operands["condition"]["function"]["parameters"] == {"item_to_test": "schedulerEndpoint"}
    assert (operands["true_value"], operands["false_value"]) == ({}, {"EDGETRAIN_RETENTION__KEEP_DAYS": "30"})
    # The last one wins, so that siteSettings may say less.
    assert merged == {"type": "union", "parameters": {"arg_1": "besidesTheScheduler", "arg_2": "siteSettings"}}
