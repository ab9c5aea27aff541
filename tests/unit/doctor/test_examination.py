"""The examination: which subjects, with which settings; slips of the pen in settings are named; nothing leaks."""

import json
import os
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import ValidationError

from cli.client.delivery_answers import Doctor
from cli.client.delivery_answers import Finding as Shown
from cli.client.errors import WrongUseError
from cli.doctor.beforehand import examined, settings_in
from cli.doctor.views import doctor_blocks
from function_app.api.doctor import report_of
from function_app.composition import Services
from function_app.doctor import examination
from function_app.doctor.catalogue import checks_of, every_check
from function_app.doctor.examination import hidden
from function_app.doctor.scope import everything, of_site
from shared.doctor import Check, Finding, Kind, Seen, State, looks, run, wrong
from shared.errors import TransientError
from shared.settings import Settings, settings
from tests.support.service_process import ROOT

EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\\n-----END OPENSSH PRIVATE KEY-----"


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, "22" if name.endswith("__PORT") else value.replace("<", "").replace(">", ""))
    return fresh()


def fresh() -> Services:
    """Services that read the environment anew; the process reads it once."""
    services = Services()
    with suppress(ValidationError):
        services.__dict__["settings"] = Settings()
    return services


def found(services: Services, name: str, subject: str = "") -> Finding:
    [check] = [each for each in every_check() if each.name == name]
    [finding] = run(looks([check], services, {check.about: [subject]}), hidden=hidden(services.settings))
    return finding


def test_the_example_is_complete_and_its_names_are_known(services: Services) -> None:
    assert found(services, "settings.complete").state is State.OK
    assert found(services, "settings.names").state is State.OK
    assert found(services, "settings.placeholders").state is State.OK
    assert found(services, "settings.key_vault").state is State.OK


@pytest.mark.parametrize(
    ("name", "value", "check", "said"),
    [
        ("EDGETRAIN_SITES__FACTORY__CONECTION_STRING", "x", "settings.names", "SITES__FACTORY__CONECTION_STRING"),
        ("EDGETRAIN_RETENTION__KEEP_DAY", "3", "settings.names", "EDGETRAIN_RETENTION__KEEP_DAY"),
        ("EDGETRAIN_AZUREML__WORKSPACE", "w", "settings.names", "EDGETRAIN_AZUREML__WORKSPACE"),
        ("EDGETRAIN_LEDGER_PREFIXX", "x", "settings.names", "EDGETRAIN_LEDGER_PREFIXX"),
        ("EDGETRAIN_AZURE_ML__WORKSPACE", "<workspace>", "settings.placeholders", "EDGETRAIN_AZURE_ML__WORKSPACE"),
        (
            "EDGETRAIN_CONTAINER_REGISTRY__PASSWORD",
            "@Microsoft.KeyVault(SecretUri=https://vault/secrets/x)",
            "settings.key_vault",
            "EDGETRAIN_CONTAINER_REGISTRY__PASSWORD",
        ),
    ],
)
def test_a_slip_of_the_pen_is_named(
    services: Services, monkeypatch: pytest.MonkeyPatch, name: str, value: str, check: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    finding = found(services, check)

    assert finding.state is State.WRONG
    assert said in finding.found


def test_a_missing_and_a_bad_setting_are_named_without_their_values(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGETRAIN_AZURE_ML__WORKSPACE")
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__PORT", "the-secret-of-nobody")

    settings.cache_clear()
    bare = Services()
    [check] = [each for each in every_check() if each.name == "settings.complete"]
    [finding] = run(looks([check], bare, {Kind.APP: [""]}))

    assert finding.state is State.WRONG
    assert "EDGETRAIN_AZURE_ML__WORKSPACE" in finding.remedy
    assert "EDGETRAIN_COMPUTES__HUB_VM__PORT" in finding.remedy
    assert "the-secret-of-nobody" not in f"{finding}"


def test_settings_without_the_hosts_storage_are_not_healthy(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AzureWebJobsStorage")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(examination, "every_check", lambda: checks_of("settings"))

    report = report_of(examination.examine(Services()))

    assert not report.healthy
    assert "AzureWebJobsStorage__accountName" in report.findings[0].found


def test_a_setting_of_many_parts_that_is_no_json_is_named_without_its_value(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETRAIN_SITES", "zzz-not-json")
    monkeypatch.setattr(examination, "every_check", lambda: checks_of("settings"))

    report = report_of(examination.examine(Services()))

    assert not report.healthy
    assert '"sites"' in report.findings[0].found
    assert "zzz-not-json" not in f"{report}"


def test_keys_that_are_none_are_named(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(services, "settings.compute", "hub-vm").state is State.WRONG
    monkeypatch.setenv("EDGETRAIN_TARGETS__HUB_VM__PULL_USER", "somebody")

    target = found(fresh(), "settings.target", "hub-vm")

    assert (target.state, "PULL_USER" in target.found) == (State.WRONG, True)


def test_every_subject_of_settings_and_pipelines_is_looked_at_and_a_site_has_its_own(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETRAIN_SITES__OTHER_PLACE__CONNECTION_STRING", "x")
    services = fresh()

    assert everything(services)[Kind.SITE] == ["factory", "other_place"]
    assert "hub-vm" in everything(services)[Kind.COMPUTE]
    assert set(everything(services)[Kind.PIPELINE]) >= {"breast-cancer", "digits"}
    assert of_site(services, "other_place")[Kind.PIPELINE] == []
    assert "breast-cancer" in of_site(services, "factory")[Kind.PIPELINE]


def test_whoever_waits_for_another_examination_does_not_wait_for_ever(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "WAITS", 0.01)

    with examination._TURN, pytest.raises(TransientError, match="ask again"):
        examination.examine(services)


def test_no_secret_of_the_settings_is_shown(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__PRIVATE_KEY", KEY)
    monkeypatch.setenv("EDGETRAIN_TARGETS__HUB_VM__PULL_PASSWORD", "zzz-of-the-target")
    monkeypatch.setenv("EDGETRAIN_TARGETS__HUB_VM__TOKEN", "zzz-of-a-token")
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__PASSWORD", "zzz-of-the-registry")
    services = fresh()

    def tell(_: Services, __: str) -> Seen:
        return wrong("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU zzz-of-the-target zzz-of-a-token zzz-of-the-registry")

    check = Check(name="a.b", about=Kind.APP, wanted="w", why="y", remedy="r", look=tell)
    [finding] = run(looks([check], services, {Kind.APP: [""]}), hidden=hidden(services.settings))

    assert finding.found == "[hidden] [hidden] [hidden] [hidden]"


@pytest.mark.parametrize(
    "text",
    [
        '{"IsEncrypted": false, "Values": {"A": "1", "B": "x y"}}',
        '[{"name": "A", "value": "1", "slotSetting": false}, {"name": "B", "value": "x y"}]',
        '{"A": "1", "B": "x y"}',
        'A=1\n# no\nexport B="x y"\n',
    ],
)
def test_settings_are_read_from_every_usual_form(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings"
    file.write_text(text, encoding="utf-8")

    assert settings_in(file) == {"A": "1", "B": "x y"}


@pytest.mark.parametrize("text", ["", "nothing here", "[1]", '"A"'])
def test_a_file_without_settings_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(WrongUseError):
        settings_in(file)
    with pytest.raises(WrongUseError):
        settings_in(tmp_path / "absent")


def test_before_a_deployment_the_settings_of_a_file_count_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"Values": EXAMPLE | {"EDGETRAIN_COMPUTES__HUB_VM__PORT": "22"}}), encoding="utf-8")
    monkeypatch.setattr(examination, "every_check", lambda: checks_of("settings"))
    settings.cache_clear()
    with patch.dict(os.environ, {"EDGETRAIN_SITES__ELSEWHERE__CONNECTION_STRING": "x"}):
        view, document = examined(file)
    settings.cache_clear()

    states = {each.check: each.state for each in view.findings}
    assert states["settings.placeholders"] == "wrong"
    assert "settings.key_vault" not in states  # which only a deployed app can know
    assert not any("elsewhere" in str(each) for each in document["findings"])


def test_people_see_what_is_wrong_in_full_and_the_sums() -> None:
    def a_finding(state: str) -> Shown:
        return Shown(check=f"a.{state}", subject="app", state=state, found="f", wanted="w", why="y", remedy="r")

    view = Doctor(healthy=False, findings=(a_finding("ok"), a_finding("wrong")))

    blocks = list(doctor_blocks(view, every=False))

    assert "a.ok" not in f"{blocks}"
    assert "a.wrong of app: wrong" in f"{blocks}"
    assert "2 checks: 1 ok, 1 wrong" in f"{blocks}"
    assert "a.ok" in f"{list(doctor_blocks(view, every=True))}"


def test_an_unknown_state_alone_is_healthy() -> None:
    finding = Finding(check="a.b", subject="app", state=State.UNKNOWN, found="", wanted="", why="")

    assert report_of((finding,)).healthy
    assert report_of((finding,)).states[State.UNKNOWN] == 1
