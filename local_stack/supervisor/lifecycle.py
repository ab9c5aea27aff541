"""Stop a stack from another process, whether its supervisor is alive or dead."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from local_stack.processes import identities
from local_stack.processes.client import REPOSITORY
from local_stack.stack_hub.containers import Podman, mounts_below
from local_stack.stack_hub.engine import find
from local_stack.stack_hub.vm import Vm
from local_stack.supervisor import record
from local_stack.supervisor.layout import Layout

_PATIENCE = 120.0


class LifecycleError(Exception):
    """The stack cannot be stopped or wiped from here; the message says why."""


def down(layout: Layout) -> bool:
    """Stop the stack of this folder and wait until nothing of it runs. Returns whether anything did.

    The supervisor is asked to end (SIGTERM), and stops its services in order. Without one, what it left is ended.
    """
    if not layout.stack_id():
        return False
    running = record.read(layout)
    supervised = running is not None and running.is_supervised()
    if running is not None and supervised:
        if running.supervisor.pid == os.getpid():
            raise LifecycleError("this process runs the stack itself; stop it with Ctrl-C")
        identities.send(running.supervisor, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while identities.is_alive(running.supervisor):
            if time.monotonic() > deadline:
                raise LifecycleError(f"the supervisor, process {running.supervisor.pid}, does not stop; end it by hand")
            time.sleep(0.05)
    with layout.held():
        left = record.end_leftovers(layout)
        _halt_containers(layout)
        layout.record.unlink(missing_ok=True)
        for runtime in (layout.runtime, layout.cloud_runtime):
            shutil.rmtree(runtime, ignore_errors=True)
    return supervised or left > 0


def _halt_containers(layout: Layout) -> None:
    """Stop containers that outlived their keeper, which was killed; a stack that ended in order left no runtime."""
    vm, cloud = Vm(layout.root / "vm", layout.runtime, port=0), layout.root / "azure_arm"
    for configuration, storage, runtime in (
        (vm.engine_configuration, vm.storage, vm.engine_runtime),
        (cloud / "engine", cloud / "containers", layout.cloud_runtime / "engine"),
    ):
        if runtime.exists() and shutil.which("podman"):
            environment = {**os.environ, **find(configuration).environment}
            Podman(storage, runtime, environment).halt()


def clean(layout: Layout) -> None:
    """Stop the stack of this folder, and of folders right below it, and delete it all.

    Raises :class:`LifecycleError` for a folder that is no state folder: nothing else is ever deleted.
    """
    if not layout.root.exists():
        return
    inner = [Layout.at(child) for child in layout.root.iterdir() if (child / layout.identity.name).is_file()]
    if not layout.stack_id() and layout.root != REPOSITORY / ".local" and any(layout.root.iterdir()):
        raise LifecycleError(f"{layout.root} does not look like a state folder of the local stack; delete it yourself")
    for each in (*inner, layout):
        down(each)
    _delete(layout.root)


def _delete(root: Path) -> None:
    for mount in mounts_below(root):
        subprocess.run(["umount", "--lazy", mount], check=False)
    if os.geteuid() != 0 and shutil.which("podman"):
        # Files in images belong to users of podman's user namespace, where alone they can be deleted.
        subprocess.run(["podman", "unshare", "rm", "-rf", str(root)], check=False, capture_output=True)
    if root.exists():
        shutil.rmtree(root)
