"""Podman on this machine, as the person at the terminal has it: its own storage, its own configuration."""

import os
import shutil
import subprocess
from collections.abc import Mapping

from shared.errors import Code, PermanentError

_SECONDS = 60.0


def find_podman(environment: Mapping[str, str] = os.environ) -> str:
    """The path of a podman that answers; raises :class:`PermanentError` saying what to do when there is none."""
    program = shutil.which("podman", path=environment.get("PATH"))
    if program is None:
        docker = " Docker does not do: its daemon is root." if shutil.which("docker") else ""
        reason = (
            "podman is not installed, and training code runs in a container only, here as at a site; install it,"
            f" such as with: apt install podman.{docker}"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    try:
        answered = subprocess.run(
            [program, "info", "--format", "{{.Host.OCIRuntime.Name}}"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=dict(environment),
            timeout=_SECONDS,
        )
        said = answered.stderr.strip().splitlines()[-1:] if answered.returncode else []
        wrong = answered.returncode != 0
    except subprocess.TimeoutExpired:
        wrong, said = True, [f"no answer within {_SECONDS:.0f} s"]
    if wrong:
        reason = f"podman is installed and does not work: {' '.join(said) or 'it says nothing'}; try: podman info"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return program
