"""docs/deploy.md from top to bottom: its variables have values, and its last step has what the steps before it made."""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from cli.prepare_vm import vm_settings
from infra.checks.bicep import BicepFile, parse
from local_stack import sample_data
from shared.pipelines import Pipelines
from tests.support.documents import ROOT, Block, blocks

PAGE = ROOT / "docs" / "deploy.md"
BLOCKS = list(blocks(PAGE))
OUTPUTS = 'eval "$(azd env get-values'
"""From here on a shell has the outputs of main.bicep."""
ELSEWHERE = {"HOME", "AZURE_ENV_NAME", "AZURE_LOCATION", "ACCOUNT"}
"""Of the shell itself, of `azd` or the sentence above the block without it, and of docs/deploy-hub.md."""
VAULT = """#!/bin/sh
while [ "$1" != --name ]; do shift; done
printf '"%s of the vault\\\\nwith \\u0027$HOME\\u0027"' "$2"
"""


def block_with(text: str) -> Block:
    """The one block of the page that has this text."""
    [found] = [each for each in BLOCKS if text in each.body]
    return found


def given(name: str) -> dict[str, str]:
    """A parameter's value, as the page has it."""
    page = PAGE.read_text(encoding="utf-8")
    [found] = re.findall(rf'^"{name}": {{ "value": ({{.*?}}) }},?$', page, re.DOTALL | re.MULTILINE)
    value: dict[str, str] = json.loads(found)
    return value


def test_every_variable_has_a_value_before_it_is_used() -> None:
    main = parse(ROOT / "infra" / "main.bicep", "main.bicep")
    assert isinstance(main, BicepFile)
    outputs = set(re.findall(r"^output (\w+) ", main.source, re.MULTILINE))
    known, unknown = set(ELSEWHERE), []
    for block in BLOCKS:
        if OUTPUTS in block.body:
            known |= outputs | {"EDGETRAIN_TRUSTED_KEYS"}  # which the block itself or one before it has set
        for line in block.body.splitlines():
            unknown += [
                f"line {block.line}: {each}" for each in re.findall(r"\$\{?([A-Z]\w+)", line) if each not in known
            ]
            known |= set(re.findall(r"^(?:export )?(\w+)=", line))

    assert unknown == []


def test_every_file_in_the_folder_of_secrets_is_made_before_it_is_read() -> None:
    made = {
        "training",
        "serving",
        "factory-connection-string.txt",
        "factory-manifests-sas.txt",
    }  # by docs/deploy-hub.md
    for block in BLOCKS:
        for line in block.body.splitlines():
            made |= set(re.findall(r"(?:> |download .*--file )~/edgetrain-hub/([\w.-]+)", line))
            read = set(re.findall(r"edgetrain-hub/([\w.-]+)", line))
            assert read <= made, f"line {block.line}: {line}"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment that the last step leaves, where the steps before it were done as the page says."""
    (tmp_path / "infra").mkdir()
    parameters = {name: {"value": given(name)} for name in ("siteSettings", "siteSecrets")}
    (tmp_path / "infra" / "main.parameters.json").write_text(json.dumps({"parameters": parameters}), encoding="utf-8")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "az").write_text(VAULT, encoding="utf-8")
    (tmp_path / "bin" / "az").chmod(0o755)
    command = block_with('az", "keyvault').body
    script = command[command.index('eval "$(.venv/bin/python') :] + "\nexec env -0"
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "EDGETRAIN_VAULT_NAME": "kv"}
    done = subprocess.run(
        ["bash", "-eu"], input=script, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, check=True
    )
    return dict(each.split("=", 1) for each in done.stdout.split("\0") if each)


def test_the_last_step_has_every_setting_and_secret_of_the_sites(
    shell: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {name: f"{secret} of the vault\nwith '$HOME'" for name, secret in given("siteSecrets").items()}

    assert {name: value for name, value in shell.items() if name.startswith("EDGETRAIN_")} == {
        **given("siteSettings"),
        **secrets,
        "EDGETRAIN_VAULT_NAME": "kv",
    }

    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.setenv(f"EDGETRAIN_AZURE_ML__{name}", "x")  # outputs
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__URL", "https://registry.example")
    for name, value in shell.items():
        if name.startswith("EDGETRAIN_"):
            monkeypatch.setenv(name, value)
    pipeline = Pipelines(ROOT / "pipelines").get("diabetes")
    settings = vm_settings()
    assert settings.compute(pipeline.train.compute).pull_password.get_secret_value()
    assert all(settings.target(each.name).kind == "vm" for each in pipeline.deliver.targets)
    assert settings.site(pipeline.data.site).sas.keys() == {"edgetrain_manifests"}


def test_the_files_of_the_first_upload_are_those_that_the_pipeline_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, _, upload = block_with(sample_data.__name__).body.splitlines()
    monkeypatch.setattr(sys, "argv", make.replace("~", str(tmp_path)).split()[2:])
    sample_data.main()
    [(name, data, holdout)] = re.findall(r"upload (\S+) ~/(\S+) --holdout ~/(\S+)", upload)
    pipeline = Pipelines(ROOT / "pipelines").get(name)

    files = [each for each in (tmp_path / data).rglob("*") if each.is_file()]

    assert files
    assert all(fnmatchcase(each.relative_to(tmp_path / data).as_posix(), pipeline.data.pattern) for each in files)
    assert (tmp_path / holdout).is_file()
    assert holdout.endswith(pipeline.data.holdout)
