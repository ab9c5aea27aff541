"""The workflow that users copy: it takes every parameter's variable, and its commands name files that are there."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.checks.bicep import BicepFile, parse
from infra.checks.tools import ROOT
from infra.ci.parameters import filled

WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / "infra/ci/github-workflow.yml").read_text(encoding="utf-8"))
PARAMETERS = (ROOT / "infra/main.parameters.json").read_text(encoding="utf-8")
GIVEN = {"AZURE_ENV_NAME": "shop", "AZURE_LOCATION": "westeurope", "EDGETRAIN_OPERATOR_ID": "id"}
STEPS = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]


def test_every_variable_of_the_parameters_is_set_by_the_workflow() -> None:
    assert set(re.findall(r"\$\{(\w+)", PARAMETERS)) <= set(WORKFLOW["env"])


def test_the_example_of_the_snapshot_has_parameters_of_main_and_nothing_that_changes_by_itself() -> None:
    example = (ROOT / "infra/ci/example.bicepparam").read_text(encoding="utf-8")
    main = parse(ROOT / "infra/main.bicep", "main.bicep")
    assert isinstance(main, BicepFile)

    given = set(re.findall(r"^param (\w+) =", example, re.MULTILINE))

    assert main.required <= given <= main.parameters
    assert "budgetStart" in given, "its default is the month in which it is deployed"


def test_files_that_steps_name_are_there() -> None:
    named = {found for step in STEPS for found in re.findall(r"\binfra/[\w./-]+", step)}

    assert named >= {"infra/main.bicep", "infra/after-code.bicep", "infra/after-code.sh"}
    made = {"infra/ci/example.snapshot.json"}
    assert [each for each in named - made if not (ROOT / each).is_file()] == []


def test_it_compiles_plans_and_signs_in_without_a_secret() -> None:
    text = "\n".join(STEPS)

    assert "az bicep build --file infra/main.bicep" in text
    assert "az deployment sub what-if" in text
    assert "secrets." not in (ROOT / "infra/ci/github-workflow.yml").read_text(encoding="utf-8")
    assert all(job["permissions"]["id-token"] == "write" for name, job in WORKFLOW["jobs"].items() if name != "compile")


def test_parameters_are_filled_from_the_environment() -> None:
    values = {name: each["value"] for name, each in json.loads(filled(PARAMETERS, GIVEN))["parameters"].items()}

    assert values["environmentName"] == "shop"
    assert values["durableBackend"] == "storage"
    assert values["trustedKeys"] == ""
    with pytest.raises(ValueError, match="the environment has no AZURE_LOCATION; set it"):
        filled(PARAMETERS, {"AZURE_ENV_NAME": "x"})


def test_values_mean_what_they_mean_to_azd() -> None:
    """It puts them in as they are and reads JSON then; else what-if would show changes that no deployment makes."""
    filled_in = json.loads(filled(PARAMETERS, {**GIVEN, "EDGETRAIN_TRUSTED_KEYS": r"-----BEGIN\nMFk=\n-----END"}))

    assert filled_in["parameters"]["trustedKeys"]["value"] == "-----BEGIN\nMFk=\n-----END"


@pytest.mark.parametrize(
    "value", ["-----BEGIN\nMFk=", 'with "quotes"', "ends\\", 'x" }, "siteSettings": { "value": "y']
)
def test_a_value_that_would_end_the_deployment_by_azd_is_refused_before(value: str) -> None:
    with pytest.raises(ValueError, match="EDGETRAIN_TRUSTED_KEYS is no text in JSON"):
        filled(PARAMETERS, {**GIVEN, "EDGETRAIN_TRUSTED_KEYS": value})


def test_operators_are_not_whoever_deploys() -> None:
    """For AZURE_PRINCIPAL_ID azd puts in whoever is signed in, whatever the environment says."""
    assert "AZURE_PRINCIPAL_ID" not in PARAMETERS


def test_a_shell_understands_the_script() -> None:
    assert subprocess.run(["sh", "-n", ROOT / "infra/after-code.sh"], check=False).returncode == 0
    hooks = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["hooks"]
    assert (ROOT / hooks["postdeploy"]["run"]).stat().st_mode & 0o111


def test_with_azure_sql_the_app_becomes_a_user_without_a_look_into_the_directory(tmp_path: Path) -> None:
    """A pipeline signs in as itself: the server would need a right of its own to look a name up for it."""
    for name in ("az", "sqlcmd"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" >> "$TOLD"\n')
        (tmp_path / name).chmod(0o755)
    script = ROOT / "infra/after-code.sh"
    given = dict.fromkeys(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", script.read_text(encoding="utf-8")), "x")
    given |= {"EDGETRAIN_DURABLE_BACKEND": "mssql", "EDGETRAIN_APP_IDENTITY": "id-a", "EDGETRAIN_APP_CLIENT_ID": "1-2"}
    given |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "TOLD": str(told := tmp_path / "told")}

    subprocess.run(["sh", str(script)], env=given, check=True)

    statement = told.read_text().partition("sqlcmd\n")[2]
    assert "EXEC('CREATE USER [id-a] WITH SID = ' + @sid + ', TYPE = E')" in statement
    assert "CAST('1-2' AS uniqueidentifier)" in statement
    assert "EXTERNAL PROVIDER" not in statement
    assert any("install -qy sqlcmd" in step for step in STEPS)
