import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.clients.azure_ml import cloud
from shared.errors import PermanentError, TransientError
from shared.settings import AzureMl

ENTRY = {
    "name": "TestCloud",
    "resourceManager": "https://127.0.0.1:1",
    "authentication": {"loginEndpoint": "https://127.0.0.1:1"},
}


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no cloud had been configured; everything is put back afterwards."""
    monkeypatch.setattr(cloud, "_configured", None)
    monkeypatch.delitem(sys.modules, "azureml.core", raising=False)
    for name in ("ARM_CLOUD_METADATA_URL", "AZUREML_CURRENT_CLOUD", "AZURE_CONFIG_DIR"):
        monkeypatch.setenv(name, "to be put back")
        monkeypatch.delenv(name)


def settings(metadata_url: str, name: str = "TestCloud") -> AzureMl:
    return AzureMl.model_validate(
        {
            "metadata_url": metadata_url,
            "cloud": name,
            "tenant_id": "adfs",
            "client_id": "client",
            "client_secret": "secret",
            "subscription_id": "subscription",
            "resource_group": "group",
            "workspace": "workspace",
        }
    )


def published(folder: Path, content: Any) -> str:
    path = folder / "clouds.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path.as_uri()


def test_the_configured_cloud_is_set_for_the_sdk_and_no_cache_is_left_to_it(tmp_path: Path) -> None:
    url = published(tmp_path, [{"name": "AzureCloud"}, ENTRY])

    cloud.configure_environment(settings(url))

    assert os.environ["ARM_CLOUD_METADATA_URL"] == url
    assert os.environ["AZUREML_CURRENT_CLOUD"] == "TestCloud"
    assert not Path(os.environ["AZURE_CONFIG_DIR"]).exists()


def test_it_is_settled_once(tmp_path: Path) -> None:
    url = published(tmp_path, [ENTRY, ENTRY | {"name": "Other"}])
    cloud.configure_environment(settings(url))
    (tmp_path / "clouds.json").unlink()

    cloud.configure_environment(settings(url))
    with pytest.raises(PermanentError, match="already speaks to the cloud 'TestCloud'"):
        cloud.configure_environment(settings(url, "Other"))


def test_the_public_cloud_needs_no_metadata() -> None:
    cloud.configure_environment(settings("", "AzureCloud"))

    assert "ARM_CLOUD_METADATA_URL" not in os.environ


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([ENTRY | {"name": "Other"}], "lists no cloud 'TestCloud' .it lists: Other."),
        ([], "lists no cloud 'TestCloud' .it lists: none."),
        ({"name": "TestCloud"}, "lists no cloud"),
        ("<html>", "does not answer with JSON"),
        ([ENTRY | {"resourceManager": ""}], "lacks resourceManager or loginEndpoint"),
        ([ENTRY | {"authentication": {}}], "lacks resourceManager or loginEndpoint"),
    ],
)
def test_metadata_without_the_cloud_is_refused_before_the_sdk_could_fall_back(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(PermanentError, match=message):
        cloud.configure_environment(settings(published(tmp_path, content)))

    assert "ARM_CLOUD_METADATA_URL" not in os.environ


def test_metadata_that_cannot_be_fetched_may_come_back(tmp_path: Path) -> None:
    url = (tmp_path / "clouds.json").as_uri()
    with pytest.raises(TransientError, match="cannot be fetched"):
        cloud.configure_environment(settings(url))

    published(tmp_path, [ENTRY])
    cloud.configure_environment(settings(url))


def test_plain_http_is_refused() -> None:
    with pytest.raises(PermanentError, match="must be an https:// or file:// URL"):
        cloud.configure_environment(settings("http://127.0.0.1:1/metadata"))


def test_an_sdk_that_was_imported_too_early_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azureml.core", sys)

    with pytest.raises(PermanentError, match="imported before its cloud was configured"):
        cloud.configure_environment(settings(published(tmp_path, [ENTRY])))


def test_azure_resource_manager_is_that_of_the_cloud(tmp_path: Path) -> None:
    login = {"loginEndpoint": "https://login.example", "audiences": ["https://arm.example/"]}
    named = {**ENTRY, "resourceManager": "https://arm.example/", "authentication": login}

    assert cloud.resource_manager(settings("")).url == "https://management.azure.com"
    found = cloud.resource_manager(settings(published(tmp_path, [named])))
    assert (found.url, found.scope) == ("https://arm.example", "https://arm.example/.default")
    assert found.login == "https://login.example"
    bare = cloud.resource_manager(settings(published(tmp_path, [ENTRY])))
    assert bare.scope == "https://127.0.0.1:1/.default"
    with pytest.raises(PermanentError, match="https"):
        cloud.resource_manager(settings(published(tmp_path, [{**ENTRY, "resourceManager": "http://arm.example"}])))
