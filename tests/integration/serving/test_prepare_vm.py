"""``cli.prepare_vm`` against a real VM."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.prepare_vm import NotPreparedError, prepare
from cli.vm_slot import ensure_slot
from shared.clients.ssh import connected
from shared.errors import Code, PermanentError
from shared.pipelines import Pipeline, Train
from shared.serving.slots import parse_slot
from shared.settings import AzureMl, Compute, ContainerRegistry, Settings
from shared.training_code.environment_key import environment_key
from tests.support.serving_host import ServingHost

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def app_root(tmp_path: Path) -> Path:
    """An app with one training folder, whose lock names one small wheel that lies beside it."""
    wheel = tmp_path / "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("probe.py", "ANSWER = 42\n")
        archive.writestr("probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        archive.writestr("probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("probe-1.0.dist-info/RECORD", "")
    folder = tmp_path / "training" / "probe"
    (tmp_path / "training" / "common").mkdir(parents=True)
    folder.mkdir()
    (folder / "requirements.txt").write_text(f"probe @ file://{wheel}\n", encoding="utf-8")
    (tmp_path / "training" / "common" / "requirements-job.txt").write_text("# nothing more\n", encoding="utf-8")
    (tmp_path / "training" / "common" / "requirements-scoring.txt").touch()
    for name in ("job.py", "score.py"):
        (folder / name).touch()
    return tmp_path


def settings_for(host: ServingHost, app_root: Path) -> Settings:
    compute = Compute.model_validate({**host.target.model_dump(include=set(Compute.model_fields))})
    azure_ml = AzureMl(
        tenant_id="t", client_id="c", client_secret="s", subscription_id="s", resource_group="g", workspace="w"
    )
    return Settings(
        AzureWebJobsStorage="UseDevelopmentStorage=true",
        app_root=app_root,
        sites={},
        computes={"gpu": compute},
        targets={"vm": host.target},
        azure_ml=azure_ml,
        container_registry=ContainerRegistry(url="http://127.0.0.1:1"),
    )


def a_pipeline(name: str) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": name,
            "data": {"site": "factory", "container": name, "holdout": "h.csv"},
            "train": {"folder": "probe", "compute": "gpu"},
            "judge": {"metric": "auc", "floor": 0.5},
            "deliver": {"model": name, "targets": [{"name": "vm"}]},
        }
    )


def test_prepare_twice(host: ServingHost, app_root: Path) -> None:
    lines: list[str] = []
    settings = settings_for(host, app_root)
    pipelines = [a_pipeline("first"), a_pipeline("second")]

    prepare(pipelines, settings, say=lines.append)

    locks = [app_root / "training" / "probe" / "requirements.txt", app_root / "training/common/requirements-job.txt"]
    key = environment_key(*(lock.read_text(encoding="utf-8") for lock in locks))
    environments = host.home / "edgetrain" / "environments"
    python = environments / key / "bin" / "python"
    answer = subprocess.run([python, "-I", "-c", "import probe; print(probe.ANSWER)"], capture_output=True, check=True)
    assert answer.stdout == b"42\n"
    assert (environments / f"{key}.log").stat().st_size > 0
    assert not list(environments.glob(".building-*"))
    assert sum("building" in line for line in lines) == 1
    slots = [(host.home / f"serving/{name}.json").read_text(encoding="utf-8") for name in ("first", "second")]
    assert all(parse_slot(text).live is None for text in slots)

    before = python.parent.parent.stat().st_mtime_ns
    again: list[str] = []
    prepare(pipelines, settings, say=again.append)

    assert python.parent.parent.stat().st_mtime_ns == before
    assert [(host.home / f"serving/{name}.json").read_text(encoding="utf-8") for name in ("first", "second")] == slots
    assert not [line for line in again if "HAProxy has loaded" in line]


def test_one_that_cannot_be_prepared_stops_none_of_the_others_and_is_named(host: ServingHost, app_root: Path) -> None:
    lost = a_pipeline("lost").model_copy(update={"train": Train(folder="probe", compute="nowhere")})
    garbled = PermanentError("garbled.yaml: not valid YAML", code=Code.BAD_PIPELINE)

    with pytest.raises(NotPreparedError) as caught:
        prepare(
            [lost, a_pipeline("whole")],
            settings_for(host, app_root),
            say=lambda line: None,
            broken={"garbled": garbled},
        )

    lines = str(caught.value).splitlines()
    assert lines[0].startswith("pipeline garbled ")
    assert lines[1].startswith("pipeline lost ")
    assert "EDGETRAIN_COMPUTES__NOWHERE__" in lines[1]
    assert len(lines) == 2
    assert (host.home / "serving/whole.json").is_file()


def test_the_tool_prepares_the_good_ones_of_a_folder_and_ends_as_failed(host: ServingHost, app_root: Path) -> None:
    (app_root / "pipelines").mkdir()
    good = a_pipeline("good").model_dump(mode="json", exclude_defaults=True)
    (app_root / "pipelines" / "good.yaml").write_text(json.dumps(good), encoding="utf-8")
    (app_root / "pipelines" / "bad.yaml").write_text("name: [", encoding="utf-8")
    (app_root / "pipelines" / "misnamed.yml").write_text("", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "cli", "prepare-vm", "--all", "--only", "serving"],
        cwd=ROOT,
        env={**os.environ, **environment_for(host, app_root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "bad.yaml" in done.stderr
    assert "misnamed.yml" in done.stderr
    assert (host.home / "serving/good.json").is_file()


def environment_for(host: ServingHost, app_root: Path) -> dict[str, str]:
    target = host.target
    ssh = {
        "ADDRESS": target.address,
        "PORT": str(target.port),
        "USERNAME": target.username,
        "PRIVATE_KEY": target.private_key.get_secret_value(),
        "HOST_KEY": target.host_key,
    }
    azure_ml = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE")
    return {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "EDGETRAIN_APP_ROOT": str(app_root),
        "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": "none",
        "EDGETRAIN_CONTAINER_REGISTRY__URL": "http://127.0.0.1:1",
        **{f"EDGETRAIN_COMPUTES__GPU__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_TARGETS__VM__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_AZURE_ML__{name}": "none" for name in azure_ml},
    }


def test_an_environment_that_cannot_be_built(host: ServingHost, app_root: Path) -> None:
    lock = app_root / "training" / "probe" / "requirements.txt"
    lock.write_text("probe @ file:///nowhere/probe-1.0-py3-none-any.whl\n", encoding="utf-8")

    with pytest.raises(NotPreparedError, match="cannot be built") as caught:
        prepare([a_pipeline("first")], settings_for(host, app_root), serving=False, say=lambda line: None)

    assert "/nowhere/probe-1.0" in str(caught.value)
    environments = host.home / "edgetrain" / "environments"
    key = environment_key(lock.read_text(encoding="utf-8"), "# nothing more\n")
    assert not (environments / key).exists()
    assert not list(environments.glob(".building-*"))


def test_a_configuration_that_haproxy_refuses_does_not_stay(host: ServingHost) -> None:
    with connected(host.target) as session:
        slot = ensure_slot(session, "refused", say=lambda line: None)
        text = json.loads((host.home / "serving/refused.json").read_text(encoding="utf-8"))
        session.write_text("serving/refused.json", json.dumps({**text, "bind": "not an address"}))
        config = (host.home / "serving/conf.d/refused.cfg").read_text(encoding="utf-8")

        with pytest.raises(PermanentError, match="reload-haproxy failed"):
            ensure_slot(session, "refused", say=lambda line: None)

        assert (host.home / "serving/conf.d/refused.cfg").read_text(encoding="utf-8") == config
        session.write_text("serving/refused.json", json.dumps(text))
        assert ensure_slot(session, "refused", say=lambda line: None) == slot
