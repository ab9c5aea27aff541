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


SECRETS = (
    "AzureWebJobsStorage",
    "ServiceBusConnection",
    "EDGETRAIN_ANNOUNCEMENTS__KEY",
    "EDGETRAIN_AZURE_ML__CLIENT_SECRET",
    "EDGETRAIN_AZURE_ML__TENANT_ID",
    "EDGETRAIN_AZURE_ML__CLIENT_ID",
)


@pytest.mark.parametrize("empty", [False, True])
def test_without_secrets_the_identity_is_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, empty: bool
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "") if empty else monkeypatch.delenv(name)
    monkeypatch.setenv("AzureWebJobsStorage__accountName", "account")
    monkeypatch.setenv("ServiceBusConnection__fullyQualifiedNamespace", "bus.example")
    monkeypatch.setenv("ServiceBusConnection__clientId", "of-the-bus")
    monkeypatch.setenv("AZURE_CLIENT_ID", "of-the-app")

    found = Settings()

    assert found.host_storage.connection_string is None
    assert found.host_storage.blobs == "https://account.blob.core.windows.net/"
    assert found.host_storage.tables == "https://account.table.core.windows.net/"
    assert found.host_storage.client_id == "of-the-app"
    assert (found.service_bus.connection_string, found.service_bus.namespace) == (None, "bus.example")
    assert found.service_bus.client_id == "of-the-bus"
    assert found.azure_ml.client_secret is None
    assert found.announcements is not None
    assert found.announcements.key is None


def test_addresses_of_another_cloud_go_before_the_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsStorage__accountName", "account")
    monkeypatch.setenv("AzureWebJobsStorage__tableServiceUri", "https://account.table.example/")

    storage = Settings().host_storage

    assert (storage.blobs, storage.tables) == (
        "https://account.blob.core.windows.net/",
        "https://account.table.example/",
    )


def test_host_storage_must_be_named_by_one_way_or_another(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AzureWebJobsStorage")
    monkeypatch.setenv("AzureWebJobsStorage__blobServiceUri", "https://account.blob.example/")

    with pytest.raises(ValueError, match="AzureWebJobsStorage__accountName"):
        Settings()


def test_a_principal_without_its_tenant_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGETRAIN_AZURE_ML__TENANT_ID")

    with pytest.raises(ValueError, match="TENANT_ID"):
        Settings()
