import json
from pathlib import Path

import pytest

from shared.errors import Code, PermanentError
from shared.settings import Settings

EXAMPLE = json.loads((Path(__file__).parents[3] / "local.settings.json.example").read_text())["Values"]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, "22" if name.endswith("__PORT") else value)
    return Settings()


def test_the_example_names_every_setting_that_is_needed(settings: Settings) -> None:
    assert settings.site("factory").api_version == "2019-07-07"
    assert settings.compute("hub-vm").port == 22
    assert settings.target("hub-vm").own["pull_username"]


def test_secrets_do_not_show(settings: Settings) -> None:
    shown = f"{settings!r} {settings}"

    assert EXAMPLE["EDGETRAIN_AZURE_ML__CLIENT_SECRET"] not in shown
    assert EXAMPLE["EDGETRAIN_SITES__FACTORY__CONNECTION_STRING"] not in shown
    assert EXAMPLE["AzureWebJobsStorage"] not in shown
    assert EXAMPLE["ServiceBusConnection"] not in shown
    assert EXAMPLE["EDGETRAIN_ANNOUNCEMENTS__KEY"] not in shown
    assert EXAMPLE["EDGETRAIN_TARGETS__HUB_VM__PULL_PASSWORD"] not in f"{shown} {settings.targets}"


def test_a_key_may_be_given_on_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__PRIVATE_KEY", "-----BEGIN\\nabc\\nEND-----")

    assert Settings().compute("hub-vm").private_key.get_secret_value() == "-----BEGIN\nabc\nEND-----"


def test_an_unknown_name_says_which_setting_is_missing(settings: Settings) -> None:
    with pytest.raises(PermanentError, match="EDGETRAIN_TARGETS__LINE_2__") as caught:
        settings.target("line-2")

    assert caught.value.code is Code.BAD_CONFIGURATION


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.delenv("EDGETRAIN_AZURE_ML__WORKSPACE")

    with pytest.raises(ValueError, match=r"azure_ml\.workspace"):
        Settings()
