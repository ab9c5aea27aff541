"""Attach the training VM as a compute target of the workspace.

Per the service's REST description, attaching overwrites an existing compute irrecoverably, so its existence is checked
first. Attaching is asynchronous: the compute is ``Creating`` for a while.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

from shared.clients.azure_ml.errors import translated, unavailable
from shared.clients.ssh_keys import KeyTextError, private_key, private_key_text
from shared.errors import Code, PermanentError
from shared.settings import Compute

WAIT_SECONDS: Final = 10.0
"""For an attachment that is under way, within one call; then the durable retry waits, and frees the thread."""

JOB: Final = "edgetrain/job"
"""Where the job lies on the VM, below the home of the user that Azure ML logs in as."""

_TURN_SECONDS: Final = 600.0  # the SDK's own retries of two look-ups and a PUT
_POLL_SECONDS: Final = 1.0
_READY: Final = "Succeeded"
_UNDER_WAY: Final = frozenset({"Creating", "Updating", "Deleting"})


@dataclass(frozen=True, slots=True)
class AttachedCompute:
    """A compute target as the workspace knows it; ``state``: the service's word."""

    address: str
    port: int
    state: str


class Turns(Protocol):
    """A mutual exclusion across all processes of the app."""

    def alone(self, what: str, *, seconds: float) -> AbstractContextManager[None]:
        """Hold the turn for a ``with`` block; raises :class:`TransientError` at once when it is taken."""


def attach_compute(
    workspace: Any,
    name: str,
    compute: Compute,
    turns: Turns,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Make sure that the workspace knows the VM under this name, at the address and port of the settings.

    Safe to repeat, and at the same moment: one attaches, the others wait. Raises :class:`TransientError` while it is
    under way. The private key travels to the service, which needs it to reach the VM; here it never lies on a disk.
    """
    deadline = monotonic() + WAIT_SECONDS

    def is_ready() -> bool:
        while (state := _state(workspace, name, compute)) in _UNDER_WAY:
            if monotonic() >= deadline:
                raise unavailable(f"Azure ML is still {state.lower()} the compute target {name}")
            sleep(_POLL_SECONDS)
        return state == _READY

    if is_ready():
        return
    with turns.alone(f"attach the compute target {name}", seconds=_TURN_SECONDS):
        # Another process may have attached it already, and attaching again would overwrite that.
        if not is_ready():
            _attach(workspace, name, compute)
    if not is_ready():
        raise unavailable(f"Azure ML did not attach the compute target {name}")


def attached(workspace: Any, name: str) -> AttachedCompute | None:
    """The compute target of that name; None when the workspace has none."""
    known = _known(workspace, name)
    if known is None:
        return None
    address, port = getattr(known, "address", None), getattr(known, "ssh_port", None)
    return AttachedCompute(str(address or ""), int(port or 0), str(known.provisioning_state or ""))


def renew_compute(workspace: Any, name: str, compute: Compute, turns: Turns) -> None:
    """Attach the VM over what is there, as after its key was replaced, which the service shows nobody.

    Afterwards it is under way, see :func:`attach_compute`.
    """
    with turns.alone(f"attach the compute target {name}", seconds=_TURN_SECONDS):
        _attach(workspace, name, compute)


def job_interpreter(compute: Compute) -> str:
    """The absolute path of the Python that the operator installed the job with."""
    home = PurePosixPath(compute.home) if compute.home else _usual_home(compute.username)
    return str(home / JOB / "current" / "bin" / "python")


def _usual_home(username: str) -> PurePosixPath:
    return PurePosixPath("/root") if username == "root" else PurePosixPath("/home") / username


def _key_text(name: str, compute: Compute) -> str:
    try:
        # The service reads it later and elsewhere: a text that is no key would show as a VM that refuses to log in.
        private_key(compute.private_key.get_secret_value())
        return private_key_text(compute.private_key.get_secret_value())
    except KeyTextError as error:
        setting = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__PRIVATE_KEY"
        raise PermanentError(f"{setting} in the app settings {error}", code=Code.BAD_CONFIGURATION) from error


def _attach(workspace: Any, name: str, compute: Compute) -> None:
    from azureml.core.compute import ComputeTarget, RemoteCompute

    text = _key_text(name, compute)
    with _readable(text) as path, translated(f"attach the compute target {name}", secret=text):
        configuration = RemoteCompute.attach_configuration(
            username=compute.username, address=compute.address, ssh_port=compute.port, private_key_file=path
        )
        ComputeTarget.attach(workspace, name, configuration)


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """A path that reads as this text, for the SDK, which takes keys from files only; in memory, so gone with us."""
    handle = os.memfd_create("key", os.MFD_CLOEXEC)
    with os.fdopen(handle, "wb") as memory:
        memory.write(text.encode())
        memory.flush()
        yield f"/proc/self/fd/{handle}"


def _state(workspace: Any, name: str, compute: Compute) -> str:
    """The service's state of the compute; ready only at the settings' address, empty when there is none."""
    known = _known(workspace, name)
    if known is None:
        return ""
    address = getattr(known, "address", None), getattr(known, "ssh_port", None)
    state = str(known.provisioning_state)
    return "elsewhere" if state == _READY and address != (compute.address, compute.port) else state


def _known(workspace: Any, name: str) -> Any:
    from azureml.core.compute import ComputeTarget
    from azureml.exceptions import ComputeTargetException

    with translated(f"look up the compute target {name}"):
        try:
            return ComputeTarget(workspace, name)
        except ComputeTargetException as error:
            # The SDK has one exception for every trouble with a target; its documented marker for a 404 is this text.
            if "ComputeTargetNotFound" not in str(error):
                raise
        # It says so of every 404, also of a proxy's; to attach what is there would overwrite it.
        if name in workspace.compute_targets:
            raise unavailable(f"Azure ML lists the compute target {name}, but does not show it")
        return None
