"""``edgetrain doctor --settings FILE``, typed before there is an app."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.service_process import ROOT

SECRET = "zq-canary-zq"
MISSING, MISSPELT = "EDGETRAIN_AZURE_ML__WORKSPACE", "EDGETRAIN_AZURE_ML__WORKSPCE"


def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as it changes the environment; what is missing in the file is set there."""
    return subprocess.run(
        [sys.executable, "-m", "cli", "doctor", "--settings", *arguments],
        cwd=ROOT,
        env={**os.environ, MISSING: "of-the-environment", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_settings_that_are_wrong_are_named_and_the_exit_status_says_so(tmp_path: Path) -> None:
    document = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    values = document["Values"]
    values[MISSPELT] = values.pop(MISSING)
    values["EDGETRAIN_CONTAINER_REGISTRY__PASSWORD"] = SECRET
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps(document), encoding="utf-8")

    shown, told = typed(str(file)), typed(str(file), "--json")

    assert (shown.returncode, told.returncode) == (1, 1), shown.stderr + told.stderr
    found = {each["check"]: each for each in json.loads(told.stdout)["findings"]}
    wrong = {check: each for check, each in found.items() if each["state"] == "wrong"}
    assert set(wrong) == {"settings.complete", "settings.names", "settings.placeholders"}
    assert {each["state"] for each in found.values()} == {"wrong", "skipped"}  # no key has roles
    assert MISSING in found["settings.complete"]["remedy"]
    assert MISSPELT in found["settings.names"]["found"]
    assert "EDGETRAIN_AZURE_ML__CLIENT_SECRET" in found["settings.placeholders"]["found"]
    for check, finding in wrong.items():
        assert f"{check} of app: wrong" in shown.stdout
        assert finding["remedy"] in shown.stdout
    assert SECRET not in f"{shown}{told}"


def test_a_file_without_settings_is_wrong_use(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text("[]", encoding="utf-8")

    ended = typed(str(file))

    assert ended.returncode == 2
    assert "holds no settings" in ended.stderr
    assert ended.stdout == ""
