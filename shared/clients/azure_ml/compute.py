"""The training VM as a compute target of the workspace."""

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from shared.clients.azure_ml.errors import translated
from shared.clients.ssh_keys import KeyTextError, private_key, private_key_text
from shared.errors import Code, PermanentError
from shared.settings import Compute


def attach_compute(workspace: Any, name: str, compute: Compute) -> None:
    """Make sure that the workspace knows the VM under this name, at the address and port of the settings.

    Idempotent: attaching again replaces what was attached. The private key travels to the service, which needs it to
    reach the VM; here it is in a file of mode 0600 for as long as the SDK reads it.
    """
    from azureml.core.compute import ComputeTarget, RemoteCompute

    if _is_attached(workspace, name, compute):
        return
    text = _key_text(name, compute)
    with tempfile.TemporaryDirectory(prefix="edgetrain-") as folder, translated(f"attach the compute target {name}"):
        key = Path(folder) / "key"
        key.touch(mode=0o600)
        key.write_text(text, encoding="utf-8")
        configuration = RemoteCompute.attach_configuration(
            username=compute.username, address=compute.address, ssh_port=compute.port, private_key_file=str(key)
        )
        ComputeTarget.attach(workspace, name, configuration).wait_for_completion(show_output=False)


def interpreter_path(compute: Compute, environment: str) -> str:
    """The absolute path of an environment's Python on the VM; a relative folder counts from the user's home."""
    home = PurePosixPath("/root") if compute.username == "root" else PurePosixPath("/home") / compute.username
    return str(home / compute.environments / environment / "bin" / "python")


def _key_text(name: str, compute: Compute) -> str:
    try:
        # The service reads it later and elsewhere: a text that is no key would show as a VM that refuses to log in.
        private_key(compute.private_key.get_secret_value())
        return private_key_text(compute.private_key.get_secret_value())
    except KeyTextError as error:
        setting = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__PRIVATE_KEY"
        raise PermanentError(f"{setting} in the app settings {error}", code=Code.BAD_CONFIGURATION) from error


def _is_attached(workspace: Any, name: str, compute: Compute) -> bool:
    from azureml.core.compute import ComputeTarget
    from azureml.exceptions import ComputeTargetException

    with translated(f"look up the compute target {name}"):
        try:
            known = ComputeTarget(workspace, name)
        except ComputeTargetException as error:
            # The SDK has one exception for every trouble with a target; its documented marker for a 404 is this text.
            if "ComputeTargetNotFound" in str(error):
                return False
            raise
        address = getattr(known, "address", None), getattr(known, "ssh_port", None)
        return known.provisioning_state == "Succeeded" and address == (compute.address, compute.port)
