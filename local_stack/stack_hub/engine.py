"""The VM's container engine: podman where it is installed, else docker; and podman's configuration.

Podman gets a storage of its own, so that the stack neither sees nor changes the developer's images. Docker's daemon is
shared by the whole machine, so there the stack's containers are told apart by a label.
"""

import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.files import private_folder, write_private

OWNER_LABEL: Final = "edgetrain.pipeline"
"""Docker only: the app puts this label on every container it starts, so that stopping the stack finds them."""


class NoEngineError(Exception):
    """Neither podman nor docker is installed."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine and the environment that makes it work on the VM's own files."""

    name: str
    environment: Mapping[str, str]


def find(configuration: Path) -> Engine:
    """The engine of this machine; ``configuration`` is the folder :func:`configure_podman` writes."""
    if shutil.which("podman"):
        return Engine(
            "podman",
            {
                "CONTAINERS_CONF": str(configuration / "containers.conf"),
                "CONTAINERS_STORAGE_CONF": str(configuration / "storage.conf"),
                "CONTAINERS_REGISTRIES_CONF": str(configuration / "registries.conf"),
                "REGISTRY_AUTH_FILE": str(configuration / "auth.json"),
            },
        )
    if shutil.which("docker"):
        return Engine("docker", {})
    raise NoEngineError("neither podman nor docker is installed; run: python -m local_stack.setup")


def networks_folder(configuration: Path) -> Path:
    """Where podman keeps the networks that were made on the VM."""
    return configuration / "networks"


def configure_podman(
    configuration: Path, *, storage: Path, runtime: Path, registry: str, layers: Path | None = None
) -> None:
    """Write podman's configuration: own storage, and ``registry`` (host:port) spoken to without TLS.

    ``layers``: a storage of others that it reads as well, see ``local_stack.stack_hub.image_layers``.
    """
    networks = private_folder(networks_folder(configuration))
    write_private(configuration / "containers.conf", _containers_conf(runtime, networks))
    more = "" if layers is None else f'\n[storage.options]\nadditionalimagestores = ["{layers}"]\n'
    folders = f'graphroot = "{private_folder(storage)}"\nrunroot = "{runtime}/storage"\n'
    write_private(configuration / "storage.conf", f'[storage]\ndriver = "overlay"\n{folders}{more}')
    write_private(
        configuration / "registries.conf",
        f'unqualified-search-registries = []\n\n[[registry]]\nlocation = "{registry}"\ninsecure = true\n',
    )
    if not (configuration / "auth.json").exists():  # podman fails when it is named and not there; a login fills it
        write_private(configuration / "auth.json", "{}\n")


def _containers_conf(runtime: Path, networks: Path) -> str:
    # Hard limits above our own cannot be set without CAP_SYS_RESOURCE, and podman's defaults are above most.
    files, tasks = (_limit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    # crun does not start on machines with a mixed cgroup hierarchy; runc does on all.
    oci_runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    return (
        # Not the machine's: what the stack makes goes with its folder.
        f'[network]\nnetwork_config_dir = "{networks}"\n\n'
        "[containers]\n"
        f'default_ulimits = ["nofile={files}", "nproc={tasks}"]\n'
        'log_driver = "k8s-file"\n'
        "\n[engine]\n"
        f"{oci_runtime}"
        # No systemd is assumed: neither for control groups nor for the journal.
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        # Not the shared memory of all podmans of this user: locks would outlive the reboot and clash with others'.
        'lock_type = "file"\n'
        f'tmp_dir = "{runtime}/libpod"\n'
    )


def _limit(kind: int) -> str:
    _, hard = resource.getrlimit(kind)
    most = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
    return f"{min(1_024, most)}:{most}"
