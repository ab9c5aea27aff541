"""The local stack's parts, put together from a state folder, its ports and its credentials. Nothing runs yet."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

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
    "functions_host",
    "functions_host_rpc",
)


@dataclass(frozen=True)
class Blueprint:
    """Everything that is fixed before the first service starts. ``cache`` outlives the state folder."""

    layout: Layout
    cache: Path
    stack_id: str
    ports: dict[str, int]
    credentials: Credentials = field(repr=False)
    app_settings: dict[str, str] = field(default_factory=dict, repr=False)
    """What the app gets besides, or instead of, the settings that lead to this stack; read when the host starts."""

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
