"""``endpoints.json``: every URL, key and path that a client of the running stack needs."""

from pathlib import Path
from typing import Any

from infra.hub.sas import for_the_app, for_the_manifests
from local_stack.files import read_object, write_private
from local_stack.stack_hub.site_keys import ensure_key
from local_stack.storage.azurite import connection_string, endpoint
from local_stack.supervisor.blueprint import HOST, Blueprint
from local_stack.supervisor.identity import KINDS, STORAGE

Endpoints = dict[str, dict[str, Any]]
HUB_API_VERSION = "2019-07-07"
MANIFESTS = "edgetrain-manifests"


def collect(plan: Blueprint) -> Endpoints:
    """What is known now. What services write themselves is empty until they have started, and stays when they stop."""
    return {
        "functions_host": _functions_host(plan),
        "hub_storage": {
            "account": plan.hub.name,
            "blob_endpoint": endpoint(plan.hub, plan.ports["hub_blob"]),
            "connection_string": connection_string(plan.hub, plan.hub.key1, blob=plan.ports["hub_blob"]),
            "api_version": HUB_API_VERSION,
            "app": _hub_rights_of_the_app(plan),
        },
        "cloud_storage": _cloud_storage(plan),
        "container_registry": {
            "url": f"http://{plan.registry_host}",
            "host": plan.registry_host,
            "username": plan.credentials.registry_username,
            "password": plan.credentials.registry_password,
            "pull_username": plan.credentials.registry_pull_username,
            "pull_password": plan.credentials.registry_pull_password,
        },
        "signing": _signing(plan.layout.signing_key),
        "azure_ml": _written(plan, "azure_ml"),
        "azure_arm": _written(plan, "azure_arm"),
        "service_bus": {**_by_token(plan, "service_bus"), "connection_string": plan.service_bus},
        "identity": _identity(plan),
        "event_grid": _written(plan, "event_grid"),
        "vm": _vm(plan),
        "serving": _serving(plan.vm.home / "serving"),
    }


def _hub_rights_of_the_app(plan: Blueprint) -> dict[str, str]:
    """No more than the app needs: list everything, and its own manifests. The keys above are the data owner's."""
    address = endpoint(plan.hub, plan.ports["hub_blob"])
    return {
        "connection_string": for_the_app(address, plan.hub.signer()),
        "manifest_sas": for_the_manifests(plan.hub.signer()),
    }


def _written(plan: Blueprint, service: str) -> dict[str, Any]:
    """What a service says of itself, now or when it last ran: a host that starts meanwhile still needs the address."""
    written = read_object(plan.layout.folder(service) / "endpoints.json")
    written.pop("pid", None)
    return written or dict(read_object(plan.layout.endpoints).get(service, {}))


def _functions_host(plan: Blueprint) -> dict[str, Any]:
    written = read_object(plan.layout.folder("functions_host") / "endpoints.json")
    system_keys = written.get("system_keys", {})
    return {
        "url": plan.host_url,
        "master_key": written.get("master_key", ""),
        "function_key": plan.credentials.function_key,
        "page_secret": plan.credentials.page_secret,
        "event_grid_key": plan.credentials.webhook_key,
        "durable_task_key": system_keys.get("durabletask_extension", ""),
    }


def _by_token(plan: Blueprint, service: str) -> dict[str, Any]:
    """Of what a service says of itself: how those with a token reach it."""
    found = _written(plan, service).get("by_token")
    return {"by_token": found} if found else {}


def _identity(plan: Blueprint) -> dict[str, Any]:
    """What an app with an identity has in its environment, and one file with all authorities that it meets here."""
    found = _written(plan, "identity")
    if found:
        found["ca_bundle"] = str(_authorities(plan))
    return found


def _authorities(plan: Blueprint) -> Path:
    said = (_written(plan, service) for service in ("azure_ml", "event_grid", "service_bus"))
    bundles = [known.get("ca_bundle") or known.get("by_token", {}).get("ca_bundle") for known in said]
    files = [Path(name) for name in bundles if name] + [plan.layout.folder(STORAGE) / "ca-bundle.pem"]
    text = "".join(file.read_text(encoding="ascii") for file in files if file.exists())
    together = plan.layout.folder("identity") / "ca-bundle.pem"
    if not together.exists() or together.read_text(encoding="ascii") != text:
        write_private(together, text)
    return together


def _cloud_storage(plan: Blueprint) -> dict[str, Any]:
    ports = {kind: plan.ports[f"cloud_{kind}"] for kind in KINDS}
    by_token = {kind: endpoint(plan.cloud, plan.ports[f"cloud_{kind}_by_token"], scheme="https") for kind in KINDS}
    return {
        "account": plan.cloud.name,
        **{f"{kind}_endpoint": endpoint(plan.cloud, port) for kind, port in ports.items()},
        "connection_string": connection_string(plan.cloud, plan.cloud.key1, **ports),
        "by_token": {"endpoints": by_token},
    }


def _vm(plan: Blueprint) -> dict[str, Any]:
    vm = plan.vm
    return {
        "address": HOST,
        "port": vm.port,
        "username": vm.username,
        "private_key_file": str(vm.client_key),
        "known_hosts_file": str(vm.known_hosts),
        "host_key": vm.host_key(),
        "home": str(vm.home),
        "receipt_key": vm.receipt_key(),
    }


def _signing(private: Path) -> dict[str, str]:
    """The key pair of images; the public half is a file too, for whoever verifies something by hand."""
    public, text = private.with_suffix(".pub"), ensure_key(private)
    if not public.exists():
        write_private(public, text)
    return {"private_key_file": str(private), "public_key_file": str(public), "public_key": text}


def _serving(folder: Path) -> dict[str, Any]:
    """Where each pipeline that has a slot on the VM is scored."""
    slots = {file.stem: read_object(file).get("frontend_port") for file in sorted(folder.glob("*.json"))}
    return {pipeline: f"http://{HOST}:{port}" for pipeline, port in slots.items() if port}
