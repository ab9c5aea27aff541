"""The local stack's parts, put together from a state folder, its ports and its credentials. Nothing runs yet."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from local_stack.identity.server import ISSUER_FILE
from local_stack.service_bus.tokens import AccessKey
from local_stack.stack_hub.engine import Engine, find
from local_stack.stack_hub.haproxy import HaProxy
from local_stack.stack_hub.vm import Vm
from local_stack.storage.azurite import Account
from local_stack.supervisor import ports
from local_stack.supervisor.credentials import Credentials
from local_stack.supervisor.layout import MARKER, Layout

HOST: Final = "127.0.0.1"
SITE: Final = "factory"
"""The site's name in ``pipelines/*.yaml``; on the VM its credentials lie under this name."""
PORTS: Final = (
    "cloud_blob",
    "cloud_queue",
    "cloud_table",
    "cloud_blob_by_token",
    "cloud_queue_by_token",
    "cloud_table_by_token",
    "identity",
    "hub_blob",
    "hub_backend",
    "container_registry",
    "registry_backend",
    "vm",
    "haproxy",
    "azure_ml",
    "azure_arm",
    "service_bus",
    "event_grid",
    "event_grid_by_token",
    "functions_host",
    "functions_host_rpc",
)


@dataclass
class App:
    """What the app is given besides what leads to this stack, or instead of it; read when the host starts."""

    settings: dict[str, str] = field(default_factory=dict, repr=False)
    by_identity: bool = False
    """Whether it logs in with its identity where it can, and not with keys and secrets."""


@dataclass(frozen=True)
class Blueprint:
    """Everything that is fixed before the first service starts. ``cache`` outlives the state folder."""

    layout: Layout
    cache: Path
    stack_id: str
    ports: dict[str, int]
    credentials: Credentials = field(repr=False)
    app: App = field(default_factory=App)

    @classmethod
    def draw(cls, layout: Layout, cache: Path) -> "Blueprint":
        """Make what is missing in the state folder: ports, credentials. Call it while holding the folder."""
        return cls(
            layout=layout,
            cache=cache,
            stack_id=layout.create(),
            ports=ports.allocate(layout.ports, PORTS),
            credentials=Credentials.load_or_create(layout.credentials),
        )

    @property
    def marker(self) -> dict[str, str]:
        """What every process of this stack carries in its environment."""
        return {MARKER: self.stack_id}

    @property
    def cloud(self) -> Account:
        """The storage account of the Functions host."""
        return Account(self.credentials.cloud_account, self.credentials.cloud_key1, self.credentials.cloud_key2)

    @property
    def hub(self) -> Account:
        """The hub's storage account: the app holds its first key, the VM its second."""
        return Account(self.credentials.hub_account, self.credentials.hub_key1, self.credentials.hub_key2)

    @property
    def service_bus(self) -> str:
        """The connection string of the messaging namespace."""
        return AccessKey(self.credentials.service_bus_key).connection_string(HOST, self.ports["service_bus"])

    @property
    def service_bus_namespace(self) -> str:
        """The same by its name: a loopback address that no other stack of this machine has, as none has its port."""
        high, low = divmod(self.ports["service_bus"], 256)
        return f"127.9.{high}.{low}"

    @property
    def issuer(self) -> Path:
        """Whose tokens of identities are good in this stack; what takes them reads this file."""
        return self.layout.folder("identity") / ISSUER_FILE

    @property
    def host_url(self) -> str:
        """The Functions host."""
        return f"http://{HOST}:{self.ports['functions_host']}"

    @property
    def registry_host(self) -> str:
        """The registry as image names spell it."""
        return f"{HOST}:{self.ports['container_registry']}"

    @property
    def vm(self) -> Vm:
        """The training and serving VM."""
        return Vm(self.layout.root / "vm", self.layout.runtime, self.ports["vm"])

    @cached_property
    def engine(self) -> Engine:
        """The VM's container engine. Raises :class:`local_stack.stack_hub.engine.NoEngineError`."""
        return find(self.vm.engine_configuration)

    @property
    def haproxy(self) -> HaProxy:
        """The VM's load balancer."""
        return HaProxy(self.vm.etc, self.vm.home, self.layout.runtime, self.ports["haproxy"])
