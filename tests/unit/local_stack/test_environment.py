import hashlib
import json
import re
import stat
from pathlib import Path

import pytest

from local_stack.processes.client import REPOSITORY
from local_stack.supervisor.app_settings import app_settings
from local_stack.supervisor.app_settings_by_identity import SECRETS, app_settings_by_identity
from local_stack.supervisor.credentials import Credentials
from local_stack.supervisor.environment import outward, service_environment
from local_stack.supervisor.layout import InUseError, Layout
from shared.clients.serving_targets import settings_of
from shared.clients.signers import trusted_keys
from shared.settings import Settings
from shared.signing.keys import public_pem
from tests.support.signing import a_key, trusting

DEVELOPER = {"PATH": "/bin", "HOME": "/home/dev", "AWS_SECRET_ACCESS_KEY": "canary", "PIP_INDEX_URL": "https://index"}


def test_services_see_nothing_of_the_developer_but_the_path() -> None:
    environment = service_environment(Path("/state/home"), DEVELOPER)

    assert environment["PATH"] == "/bin"
    assert environment["HOME"] == "/state/home"
    assert "canary" not in environment.values()
    assert "PIP_INDEX_URL" not in environment


def test_what_reaches_outside_gets_pip_and_proxy_settings_but_never_proxies_loopback() -> None:
    settings = outward({**DEVELOPER, "HTTPS_PROXY": "http://proxy", "NO_PROXY": "intranet"})

    assert settings["PIP_INDEX_URL"] == "https://index"
    assert settings["HTTPS_PROXY"] == "http://proxy"
    assert settings["NO_PROXY"] == settings["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert "AWS_SECRET_ACCESS_KEY" not in settings


def test_pips_own_file_is_named_because_home_is_another(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.touch()

    assert outward({"HOME": str(tmp_path)})["PIP_CONFIG_FILE"] == str(file)
    assert outward({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/mine"})["PIP_CONFIG_FILE"] == "/mine"


def test_credentials_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"

    made = Credentials.load_or_create(file)

    assert Credentials.load_or_create(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.hub_key1 != made.hub_key2
    assert made.hub_key1 not in repr(made)


def test_missing_credentials_are_added_to_an_older_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"hub_account": "kept", "from_the_past": 1}))

    assert Credentials.load_or_create(file).hub_account == "kept"
    assert json.loads(file.read_text())["registry_password"]


def test_a_state_folder_has_one_supervisor(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path / "state")
    layout.create()

    with layout.held(), pytest.raises(InUseError, match=str(layout.root)), layout.held():
        pass
    with layout.held():
        pass  # given back


def test_runtime_folders_are_short_and_differ(tmp_path: Path) -> None:
    first, second = Layout.at(tmp_path / "a").runtime, Layout.at(tmp_path / "b").runtime

    assert first != second
    assert len(f"{first}/haproxy-master.sock") < 80


@pytest.fixture
def endpoints(tmp_path: Path) -> dict[str, object]:
    key = tmp_path / "key"
    key.write_text("-----BEGIN\nabc\n-----END\n")
    return {
        "cloud_storage": {
            "connection_string": "cloud",
            "by_token": {
                "endpoints": {"blob": "https://blobs/", "queue": "https://queues/", "table": "https://tables/"}
            },
        },
        "identity": {
            "IDENTITY_ENDPOINT": "http://127.0.0.1:3/msi/token",
            "IDENTITY_HEADER": "a-header",
            "client_ids": ["the-systems", "the-apps"],
            "issuer_file": "not for the app",
            "ca_bundle": "/all.pem",
        },
        "hub_storage": {
            "connection_string": "AccountKey=not for the app",
            "api_version": "2019-07-07",
            "app": {"connection_string": "hub", "manifest_sas": "sv=1&sig=2"},
        },
        "container_registry": {
            "url": "http://127.0.0.1:5000",
            "host": "127.0.0.1:5000",
            "username": "user",
            "password": "secret",
            "pull_username": "puller",
            "pull_password": "reads",
        },
        "vm": {
            "address": "127.0.0.1",
            "port": 2222,
            "username": "me",
            "private_key_file": str(key),
            "host_key": "ssh-ed25519 AAAA",
            "home": "/vm/home",
            "receipt_key": "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n",
        },
        "functions_host": {"function_key": "a-key", "page_secret": "s" * 40, "master_key": "not for the app"},
        "signing": {"private_key_file": "/keys/key.pem", "public_key": public_pem(a_key().public_key)},
        "azure_ml": {
            "metadata_url": "https://127.0.0.1:1/metadata/endpoints",
            "cloud": "Local",
            "tenant_id": "adfs",
            "client_id": "id",
            "client_secret": "s",
            "subscription_id": "sub",
            "resource_group": "rg",
            "workspace": "ws",
            "ca_bundle": "/ca.pem",
            "signing": "not for the app",
        },
        "azure_arm": {
            "url": "https://127.0.0.1:2",
            "authority": "https://127.0.0.1:2",
            "tenant_id": "tenant",
            "client_id": "id",
            "client_secret": "a-secret",
            "subscription_id": "sub",
            "resource_group": "rg",
            "environment_id": "/env",
            "location": "local",
            "ca_bundle": "/arm.pem",
            "faults_key": "not for the app",
        },
        "service_bus": {
            "connection_string": "Endpoint=sb://127.0.0.1:5672",
            "by_token": {"namespace": "127.9.1.2", "ca_bundle": "/bus.pem"},
        },
        "event_grid": {
            "control_key": "not for the app",
            "by_token": {"ca_bundle": "/grid.pem", "endpoints": {"announcements": "https://grid/announcements"}},
            "topics": {
                "announcements": {"endpoint": "http://127.0.0.1:7075/topics/announcements/api/events", "key": "a-key"},
                "arrivals": {"endpoint": "http://127.0.0.1:7075/topics/arrivals/api/events", "key": "not for the app"},
            },
        },
    }


def test_the_app_reads_exactly_what_the_stack_sets(
    endpoints: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = app_settings(endpoints)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    settings = Settings()

    assert settings.host_storage.connection_string is not None
    assert settings.host_storage.connection_string.get_secret_value() == "cloud"
    assert settings.site("factory").connection_string.get_secret_value() == "hub"
    assert settings.site("factory").sas["edgetrain_manifests"].get_secret_value() == "sv=1&sig=2"
    assert settings.compute("hub-vm").private_key.get_secret_value() == "-----BEGIN\nabc\n-----END\n"
    assert settings.compute("hub-vm").home == "/vm/home"
    assert settings.compute("hub-vm").receipt_key == "-----BEGIN PUBLIC KEY-----\\nabc\\n-----END PUBLIC KEY-----\\n"
    target = settings_of("hub-vm", settings.target("hub-vm"))
    assert target.pull_password.get_secret_value() == "reads"
    cloud = settings_of("cloud", settings.target("cloud"))
    assert (cloud.registry, cloud.ca_bundle, cloud.environment_id) == ("127.0.0.1:5000", "/arm.pem", "/env")
    assert cloud.client_secret.get_secret_value() == "a-secret"
    assert settings.compute("hub-vm").pull_username == "puller"
    assert target.host_key == "ssh-ed25519 AAAA"
    assert settings.azure_ml.metadata_url == "https://127.0.0.1:1/metadata/endpoints"
    assert settings.container_registry.password.get_secret_value() == "secret"
    assert settings.signing.private_key_file == "/keys/key.pem"
    assert trusted_keys(settings.signing) == trusting()
    assert settings.service_bus_connection_string is not None
    assert settings.service_bus_connection_string.get_secret_value() == "Endpoint=sb://127.0.0.1:5672"
    assert settings.announcements is not None
    assert settings.announcements.endpoint == "http://127.0.0.1:7075/topics/announcements/api/events"
    assert settings.announcements.key is not None
    assert settings.announcements.key.get_secret_value() == "a-key"
    group = "/subscriptions/sub/resourceGroups/rg"
    assert settings.arrivals.topic_id == f"{group}/providers/Microsoft.EventGrid/topics/arrivals"
    assert settings.key_names == {"local": hashlib.sha256(b"a-key").hexdigest()}
    assert settings.key_roles == {}
    assert settings.page.secret is not None
    assert given["REQUESTS_CA_BUNDLE"] == "/ca.pem"
    assert "not for the app" not in given.values()


def test_without_an_event_grid_the_app_announces_nothing(endpoints: dict[str, object]) -> None:
    given = app_settings({**endpoints, "event_grid": {}})

    assert not [name for name in given if "ANNOUNCEMENTS" in name]


@pytest.fixture
def by_identity(endpoints: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = app_settings_by_identity(endpoints)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def test_an_app_with_an_identity_reads_addresses_and_no_secret(by_identity: dict[str, str]) -> None:
    settings = Settings()
    cloud = settings_of("cloud", settings.target("cloud"))

    storage, bus = settings.host_storage, settings.service_bus
    assert (storage.connection_string, storage.blobs, storage.tables) == (None, "https://blobs/", "https://tables/")
    assert (bus.connection_string, bus.namespace) == (None, "127.9.1.2")
    assert settings.announcements is not None
    assert (settings.announcements.key, settings.announcements.endpoint) == (None, "https://grid/announcements")
    assert (settings.azure_ml.client_secret, settings.azure_ml.workspace) == (None, "ws")
    assert (cloud.client_secret.get_secret_value(), cloud.ca_bundle) == ("", "/arm.pem")
    clients = [storage.client_id, bus.client_id, settings.azure_ml.client_id, cloud.client_id]
    assert {*clients, settings.identity_client_id} == {"the-apps"}
    assert by_identity["REQUESTS_CA_BUNDLE"] == "/all.pem"
    assert "not for the app" not in by_identity.values()


def test_the_settings_of_an_app_with_an_identity_are_those_that_the_infrastructure_makes(
    endpoints: dict[str, object], by_identity: dict[str, str]
) -> None:
    made = set(re.findall(r"name: '(\w+)'", (REPOSITORY / "infra/modules/app.bicep").read_text(encoding="utf-8")))
    new = by_identity.keys() - app_settings(endpoints).keys()
    of_this_machine = {"IDENTITY_ENDPOINT", "IDENTITY_HEADER"}  # App Service's own
    addresses = {f"AzureWebJobsStorage__{kind}ServiceUri" for kind in ("blob", "queue", "table")}  # for accountName

    assert new - of_this_machine - addresses <= made
    assert not by_identity.keys() & set(SECRETS)
    assert not made & set(SECRETS)
