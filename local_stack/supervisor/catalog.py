"""The services of the local stack, in full: command, environment, readiness, order."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from local_stack.files import private_folder, read_object, write_object
from local_stack.functions_host.keys import EVENT_GRID_KEY
from local_stack.identity.tokens import Issuer
from local_stack.processes.client import REPOSITORY
from local_stack.registry import distribution, gate
from local_stack.stack_hub import engine
from local_stack.stack_hub.image_layers import shared_layers
from local_stack.storage import azurite
from local_stack.supervisor import event_grid, identity
from local_stack.supervisor.app_settings import app_settings
from local_stack.supervisor.app_settings_by_identity import app_settings_by_identity
from local_stack.supervisor.blueprint import HOST, SITE, Blueprint
from local_stack.supervisor.endpoints import HUB_API_VERSION, MANIFESTS, collect
from local_stack.supervisor.environment import outward, service_environment
from local_stack.supervisor.probes import answers, every, exists, greets, listens
from local_stack.supervisor.service import Service
from local_stack.supervisor.starting import environment, forget_endpoints, module

# Not the least it could start with: it answers when all that it talks to does.
_THE_HOST_TALKS_TO: Final = frozenset(
    {
        "cloud_storage",
        "cloud_storage_by_token",
        "identity",
        "hub_storage",
        "registry_gate",
        "vm",
        "haproxy",
        "azure_ml",
        "azure_arm",
        "service_bus",
        "event_grid",
    }
)


def services(plan: Blueprint) -> list[Service]:
    """Every service of the stack."""
    Issuer.open(plan.issuer)  # before those that read it start side by side
    return [
        identity.token_endpoint(plan),
        _cloud_storage(plan),
        identity.cloud_storage_by_token(plan),
        _hub_backend(plan),
        _hub_storage(plan),
        _container_registry(plan),
        _registry_gate(plan),
        _containers(plan),
        _vm(plan),
        _haproxy(plan),
        _azure_ml(plan),
        _azure_arm(plan),
        _service_bus(plan),
        _event_grid(plan),
        _functions_host(plan),
    ]


def _cloud_storage(plan: Blueprint) -> Service:
    ports = {kind: plan.ports[f"cloud_{kind}"] for kind in ("blob", "queue", "table")}
    return Service(
        name="cloud_storage",
        command=azurite.all_services(data=plan.layout.folder("cloud_storage") / "data", **ports),
        environment=environment(plan, "cloud_storage", azurite.accounts_environment(plan.cloud)),
        ready=every(*(listens(port) for port in ports.values())),
        url=azurite.endpoint(plan.cloud, ports["blob"]),
    )


def _hub_backend(plan: Blueprint) -> Service:
    port = plan.ports["hub_backend"]
    return Service(
        name="hub_backend",
        command=azurite.blobs_only(data=plan.layout.folder("hub_storage") / "data", blob=port),
        environment=environment(plan, "hub_storage", azurite.accounts_environment(plan.hub)),
        ready=listens(port),
        url=azurite.endpoint(plan.hub, port),
    )


def _hub_storage(plan: Blueprint) -> Service:
    port, behind = plan.ports["hub_blob"], plan.ports["hub_backend"]
    return Service(
        name="hub_storage",
        command=module("local_stack.stack_hub.guard", "--port", str(port), "--backend-port", str(behind)),
        environment=environment(plan, "hub_storage"),
        ready=listens(port),
        depends_on=frozenset({"hub_backend"}),
        url=azurite.endpoint(plan.hub, port),
    )


def _container_registry(plan: Blueprint) -> Service:
    folder = plan.layout.folder("container_registry")

    def prepare() -> None:
        distribution.configure(
            folder,
            address=f"{HOST}:{plan.ports['registry_backend']}",
            users={
                plan.credentials.registry_username: plan.credentials.registry_password,
                plan.credentials.registry_pull_username: plan.credentials.registry_pull_password,
            },
            secret=plan.credentials.registry_secret,
        )

    url = f"http://{HOST}:{plan.ports['registry_backend']}"
    return Service(
        name="container_registry",
        command=distribution.command(folder),
        environment=environment(plan, "container_registry"),
        prepare=prepare,
        ready=answers(f"{url}/v2/", {401}),  # it wants the password: so it serves, and it is locked
        url=url,
    )


def _registry_gate(plan: Blueprint) -> Service:
    folder = plan.layout.folder("container_registry")

    def prepare() -> None:
        gate.configure(
            folder,
            address=plan.registry_host,
            backend=f"{HOST}:{plan.ports['registry_backend']}",
            readers={plan.credentials.registry_pull_username: plan.credentials.registry_pull_password},
        )

    url = f"http://{plan.registry_host}"
    return Service(
        name="registry_gate",
        command=gate.command(folder),
        environment=environment(plan, "container_registry"),
        prepare=prepare,
        ready=answers(f"{url}/v2/", {401}),
        depends_on=frozenset({"container_registry"}),
        url=url,
    )


def _containers(plan: Blueprint) -> Service:
    vm, ready = plan.vm, plan.layout.folder("vm") / "containers-ready"

    def prepare() -> None:
        ready.unlink(missing_ok=True)
        engine.configure_podman(
            vm.engine_configuration,
            storage=vm.storage,
            runtime=vm.engine_runtime,
            registry=plan.registry_host,
            layers=shared_layers(plan.cache),
        )

    folders = ["--storage", str(vm.storage), "--runtime", str(vm.engine_runtime)]
    arguments = ["--engine", plan.engine.name, *folders, "--ready", str(ready)]
    return Service(
        name="containers",
        command=module("local_stack.stack_hub.containers", *arguments),
        environment=environment(plan, "vm", plan.engine.environment),
        prepare=prepare,
        ready=exists(ready),
        start_within=120,
        grace=40,  # the containers get their own time to end
        url="",
    )


def _vm(plan: Blueprint) -> Service:
    vm = plan.vm

    def prepare() -> None:
        pip_cache = {"PIP_CACHE_DIR": str(private_folder(plan.cache / "pip"))}
        vm.configure({**outward(), **pip_cache, **plan.engine.environment}, marker=plan.marker)
        connection = azurite.connection_string(plan.hub, plan.hub.key2, blob=plan.ports["hub_blob"])
        vm.grant_hub_access(SITE, connection)

    return Service(
        name="vm",
        command=vm.command(),
        environment=environment(plan, "vm"),
        prepare=prepare,
        ready=greets(vm.port, b"SSH-2.0-"),
        depends_on=frozenset({"containers"}),
        url=f"ssh://{vm.username}@{HOST}:{vm.port}",
    )


def _haproxy(plan: Blueprint) -> Service:
    haproxy = plan.haproxy
    return Service(
        name="haproxy",
        command=haproxy.command(),
        environment=environment(plan, "vm"),
        prepare=haproxy.configure,
        ready=answers(haproxy.health_url, {200}),
        depends_on=frozenset({"containers"}),
        url=haproxy.health_url,
    )


def _azure_ml(plan: Blueprint) -> Service:
    folder, port = plan.layout.folder("azure_ml"), plan.ports["azure_ml"]
    arguments = ["--state", str(folder), "--port", str(port), "--known-hosts", str(plan.vm.known_hosts)]
    arguments += ["--event-grid", str(plan.layout.folder("event_grid") / "endpoints.json")]
    arguments += ["--issuer", str(plan.issuer)]
    return Service(
        name="azure_ml",
        command=module("local_stack.azure_ml", *arguments),
        environment=environment(plan, "azure_ml"),
        prepare=lambda: forget_endpoints(folder),
        ready=every(exists(folder / "endpoints.json"), listens(port)),
        depends_on=frozenset({"vm"}),
        url=f"https://{HOST}:{port}",
    )


def _azure_arm(plan: Blueprint) -> Service:
    folder, port = plan.layout.folder("azure_arm"), plan.ports["azure_arm"]
    layers = shared_layers(plan.cache)
    places = ["--state", str(folder), "--runtime", str(plan.layout.cloud_runtime), "--registry", plan.registry_host]
    arguments = [*places, "--port", str(port), "--issuer", str(plan.issuer)]
    arguments += ["--layers", str(layers)] if layers else []
    return Service(
        name="azure_arm",
        command=module("local_stack.azure_arm", *arguments),
        environment=environment(plan, "azure_arm", {"PYTHONDONTWRITEBYTECODE": "1"}),
        prepare=lambda: forget_endpoints(folder),
        ready=every(exists(folder / "endpoints.json"), listens(port)),
        depends_on=frozenset({"registry_gate"}),
        start_within=120,
        grace=40,  # the containers get their own time to end
        url=f"https://{HOST}:{port}",
    )


def _service_bus(plan: Blueprint) -> Service:
    folder, port = plan.layout.folder("service_bus"), plan.ports["service_bus"]

    def prepare() -> None:
        write_object(folder / "key.json", {"key": plan.credentials.service_bus_key})
        forget_endpoints(folder)

    arguments = ["--state", str(folder), "--port", str(port)]
    arguments += ["--issuer", str(plan.issuer), "--namespace", plan.service_bus_namespace]
    return Service(
        name="service_bus",
        command=module("local_stack.service_bus", *arguments),
        environment=environment(plan, "service_bus"),
        prepare=prepare,
        ready=every(exists(folder / "endpoints.json"), listens(port)),
        url=f"sb://{HOST}:{port}",
    )


def _event_grid(plan: Blueprint) -> Service:
    folder, port = plan.layout.folder("event_grid"), plan.ports["event_grid"]
    config = folder / "config.json"

    def prepare() -> None:
        write_object(config, event_grid.configuration(plan))
        forget_endpoints(folder)

    arguments = ["--state", str(folder), "--port", str(port), "--config", str(config)]
    arguments += ["--retry-scale", str(event_grid.RETRY_SCALE)]
    arguments += ["--issuer", str(plan.issuer), "--tls-port", str(plan.ports["event_grid_by_token"])]
    return Service(
        name="event_grid",
        command=module("local_stack.event_grid", *arguments),
        environment=environment(plan, "event_grid"),
        prepare=prepare,
        ready=every(exists(folder / "endpoints.json"), listens(port)),
        url=f"http://{HOST}:{port}",
    )


def _functions_host(plan: Blueprint) -> Service:
    folder, port = plan.layout.folder("functions_host"), plan.ports["functions_host"]
    rpc_port = plan.ports["functions_host_rpc"]
    home = private_folder(folder / "home")

    def prepare() -> None:
        give_keys(folder, plan.credentials.function_key, plan.credentials.webhook_key)
        forget_endpoints(folder)
        _make_room_for_manifests(plan)

    places = ["--app-root", str(REPOSITORY), "--state", str(folder)]
    ports = ["--port", str(port), "--rpc-port", str(rpc_port)]
    return Service(
        name="functions_host",
        command=module("local_stack.functions_host", *places, *ports, "--enforce-keys"),
        environment=lambda: {
            **service_environment(home),
            **outward(),
            **(app_settings_by_identity if plan.app.by_identity else app_settings)(collect(plan)),
            **plan.app.settings,
        },
        prepare=prepare,
        ready=every(exists(folder / "endpoints.json"), answers(plan.host_url, {200})),
        depends_on=_THE_HOST_TALKS_TO,
        grace=15,
        url=plan.host_url,
    )


def give_keys(folder: Path, function_key: str, webhook_key: str) -> None:
    """Have the host know the key that people use and the one that Event Grid calls; its other keys stay."""
    keys = read_object(folder / "keys.json")
    keys.setdefault("host", {})["default"] = function_key
    keys.setdefault("system", {})[EVENT_GRID_KEY] = webhook_key
    write_object(folder / "keys.json", keys)


def _make_room_for_manifests(plan: Blueprint) -> None:
    # The hub's owner makes the container, once: the app has no right to.
    text = azurite.connection_string(plan.hub, plan.hub.key1, blob=plan.ports["hub_blob"])
    with (
        BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as owner,
        suppress(ResourceExistsError),
    ):
        owner.create_container(MANIFESTS).close()
