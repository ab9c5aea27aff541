import json
from pathlib import Path
from typing import Any

import pytest

from site_agent.job.installation import InstallationError, clean_environment, load_installation

FIELDS: dict[str, Any] = {
    "version": "0123456789abcdef",
    "home": "/home/edge",
    "policy": "~/edgetrain/policy.yaml",
    "state": "~/edgetrain/state",
    "sites": "~/.config/edgetrain/sites",
    "signing_key": "~/edgetrain/keys/site.pem",
    "path": "/usr/bin:/bin",
    "engine": "podman",
    "engine_environment": {"XDG_RUNTIME_DIR": "/run/user/1000"},
}


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "installation.json"
    file.write_text(json.dumps({name: value for name, value in (FIELDS | changes).items() if value is not None}))
    file.chmod(0o600)
    return file


def test_paths_are_below_the_home_of_the_installation(tmp_path: Path) -> None:
    installation = load_installation(written(tmp_path, registry_auth="~/edgetrain/keys/registries.json"))

    assert installation.policy == Path("/home/edge/edgetrain/policy.yaml")
    assert installation.runs == Path("/home/edge/edgetrain/state/runs")
    assert installation.registry_auth == Path("/home/edge/edgetrain/keys/registries.json")
    assert installation.shown(installation.policy) == "~/edgetrain/policy.yaml"


def test_the_engine_gets_nothing_of_the_jobs_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINERS_CONF", "/tmp/planted")
    monkeypatch.setenv("PATH", "/tmp/planted")

    engine = load_installation(written(tmp_path)).engine_for("r")

    assert set(engine.environment) == {"PATH", "HOME", "LANG", "XDG_RUNTIME_DIR"}
    assert engine.environment["PATH"] == "/usr/bin:/bin"


def test_the_environment_of_the_job_is_the_installations_but_for_azure_ml(tmp_path: Path) -> None:
    environment = {
        "AZUREML_RUN_ID": "r",
        "REQUESTS_CA_BUNDLE": "/bundle",
        "LD_PRELOAD": "/tmp/planted.so",
        "HTTPS_PROXY": "http://planted",
        "PATH": "/tmp/planted",
        "HOME": "/tmp/planted",
    }

    clean_environment(load_installation(written(tmp_path, environment={"HTTPS_PROXY": "http://proxy"})), environment)

    assert environment == {
        "AZUREML_RUN_ID": "r",
        "REQUESTS_CA_BUNDLE": "/bundle",
        "HTTPS_PROXY": "http://proxy",
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/edge",
        "LANG": "C.UTF-8",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("home", None),
        ("home", "edge"),
        ("policy", None),
        ("state", "relative"),
        ("engine", "docker"),
        ("engine_environment", {"A": 1}),
        ("path", 1),
        ("signing_key", ""),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: Any) -> None:
    with pytest.raises(InstallationError, match=field):
        load_installation(written(tmp_path, **{field: value}))


def test_an_installation_that_others_may_change_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.chmod(0o606)

    with pytest.raises(InstallationError, match="chmod"):
        load_installation(file)


def test_a_missing_installation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match="prepare-vm"):
        load_installation(tmp_path / "installation.json")
