"""The app's settings on the local stack: what the app settings of the Function App are in Azure.

Names and meaning are in ``shared/settings.py``; that module is the app's, so it is not imported here, and a test keeps
the two together.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

_SITE: Final = "EDGETRAIN_SITES__FACTORY__"
_COMPUTE: Final = "EDGETRAIN_COMPUTES__HUB_VM__"
_TARGET: Final = "EDGETRAIN_TARGETS__HUB_VM__"
_CLOUD: Final = "EDGETRAIN_TARGETS__CLOUD__"
_AZURE_ML: Final = "EDGETRAIN_AZURE_ML__"
_REGISTRY: Final = "EDGETRAIN_CONTAINER_REGISTRY__"
_SIGNING: Final = "EDGETRAIN_SIGNING__"
_ANNOUNCEMENTS: Final = "EDGETRAIN_ANNOUNCEMENTS__"
_ARRIVALS: Final = "EDGETRAIN_ARRIVALS__"
_AZURE_ML_FIELDS: Final = (
    "metadata_url",
    "cloud",
    "tenant_id",
    "client_id",
    "client_secret",
    "subscription_id",
    "resource_group",
    "workspace",
)
_ARM_FIELDS: Final = (
    "url",
    "authority",
    "tenant_id",
    "client_id",
    "client_secret",
    "subscription_id",
    "resource_group",
    "environment_id",
    "location",
    "ca_bundle",
)


def app_settings(endpoints: dict[str, Any]) -> dict[str, str]:
    """The environment of the app for the stack with these endpoints (the content of ``endpoints.json``)."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
        "AzureWebJobsStorage": endpoints["cloud_storage"]["connection_string"],
        f"{_SITE}CONNECTION_STRING": endpoints["hub_storage"]["app"]["connection_string"],
        f"{_SITE}SAS__EDGETRAIN_MANIFESTS": endpoints["hub_storage"]["app"]["manifest_sas"],
        f"{_SITE}API_VERSION": endpoints["hub_storage"]["api_version"],
        **_vm(endpoints),
        **_cloud(endpoints.get("azure_arm", {}), endpoints["container_registry"]),
        **_azure_ml(endpoints["azure_ml"]),
        # Otherwise one call on a failing service blocks for up to four minutes (429).
        **dict.fromkeys(("AZUREML_DEFAULT_BACKOFF", "AZUREML_DEFAULT_500_BACKOFF", "AZUREML_DEFAULT_503_BACKOFF"), "1"),
        f"{_REGISTRY}URL": endpoints["container_registry"]["url"],
        f"{_REGISTRY}USERNAME": endpoints["container_registry"]["username"],
        f"{_REGISTRY}PASSWORD": endpoints["container_registry"]["password"],
        f"{_SIGNING}PRIVATE_KEY_FILE": endpoints["signing"]["private_key_file"],
        f"{_SIGNING}TRUSTED_KEYS": endpoints["signing"]["public_key"].replace("\n", "\\n"),
        "ServiceBusConnection": endpoints["service_bus"]["connection_string"],
        **_announcements(endpoints["event_grid"]),
        **_arrivals(endpoints["event_grid"], endpoints["azure_ml"]),
        **_who(endpoints["functions_host"]),
    }


def _vm(endpoints: dict[str, Any]) -> dict[str, str]:
    """One VM, as compute and as target."""
    vm, registry = endpoints["vm"], endpoints["container_registry"]
    key = Path(vm["private_key_file"]).read_text(encoding="ascii")
    host = {
        "ADDRESS": vm["address"],
        "PORT": str(vm["port"]),
        "USERNAME": vm["username"],
        "PRIVATE_KEY": key.replace("\n", "\\n"),  # a setting is one line
        "HOST_KEY": vm["host_key"],
    }
    return {
        **{f"{_COMPUTE}{name}": value for name, value in host.items()},
        # Azure ML wants an absolute interpreter path, and this VM's home is not where its user's name suggests.
        f"{_COMPUTE}HOME": vm["home"],
        f"{_COMPUTE}RECEIPT_KEY": vm["receipt_key"].replace("\n", "\\n"),
        **{f"{_TARGET}{name}": value for name, value in host.items()},
        **{f"{part}PULL_USERNAME": registry["pull_username"] for part in (_COMPUTE, _TARGET)},
        **{f"{part}PULL_PASSWORD": registry["pull_password"] for part in (_COMPUTE, _TARGET)},
    }


def _cloud(azure_arm: dict[str, Any], registry: dict[str, Any]) -> dict[str, str]:
    """Container Apps as a target, reached as a service principal; they pull with the password that may only read."""
    if not azure_arm:  # its stand-in has never run
        return {}
    return {
        f"{_CLOUD}KIND": "container_apps",
        **{f"{_CLOUD}{name.upper()}": str(azure_arm[name]) for name in _ARM_FIELDS},
        f"{_CLOUD}REGISTRY": registry["host"],
        f"{_CLOUD}PULL_USERNAME": registry["pull_username"],
        f"{_CLOUD}PULL_PASSWORD": registry["pull_password"],
    }


def _announcements(event_grid: dict[str, Any]) -> dict[str, str]:
    topic = event_grid.get("topics", {}).get("announcements")
    return {f"{_ANNOUNCEMENTS}ENDPOINT": topic["endpoint"], f"{_ANNOUNCEMENTS}KEY": topic["key"]} if topic else {}


def _arrivals(event_grid: dict[str, Any], azure_ml: dict[str, Any]) -> dict[str, str]:
    """The topic is in the resource group of the workspace, as in Azure."""
    if "arrivals" not in event_grid.get("topics", {}):
        return {}
    group = f"/subscriptions/{azure_ml['subscription_id']}/resourceGroups/{azure_ml['resource_group']}"
    return {f"{_ARRIVALS}TOPIC_ID": f"{group}/providers/Microsoft.EventGrid/topics/arrivals"}


def _who(host: dict[str, Any]) -> dict[str, str]:
    """The key that everybody here has, by a name, and what signs sessions of the page."""
    digest = hashlib.sha256(host["function_key"].encode("utf-8")).hexdigest()
    return {"EDGETRAIN_KEY_NAMES__LOCAL": digest, "EDGETRAIN_PAGE__SECRET": host["page_secret"]}


def _azure_ml(azure_ml: dict[str, Any]) -> dict[str, str]:
    settings = {f"{_AZURE_ML}{name.upper()}": str(azure_ml[name]) for name in _AZURE_ML_FIELDS if name in azure_ml}
    if bundle := azure_ml.get("ca_bundle"):
        # The stand-in speaks TLS with an authority of its own: requests reads the one variable, urllib the other.
        settings |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), bundle)
    return settings
