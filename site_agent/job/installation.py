"""How the job is installed on the VM: ``installation.json``, written over SSH by ``edgetrain prepare-vm``.

Azure ML's run configuration chooses the job's environment variables and working directory. So nothing that the job
relies on comes from there: paths, the engine and its surroundings are in this file, which only the VM's user can write.
"""

import hashlib
import os
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from site_agent.job.engine import Engine
from site_agent.job.failures import OutsideError
from site_agent.job.fields import FieldError, Fields, choice, parse_json, text, whole

SCHEMA: Final = 1
FILE: Final = "installation.json"
_KEPT: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "TRACEPARENT")
_AZURE_ML: Final = "AZUREML_"
"""Variables from which Azure ML's SDK knows which run this process is; with those of :data:`_KEPT`, and the trace."""


class InstallationError(OutsideError):
    """The job is not installed as it should be; the text names the file, and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where everything is on this VM. ``environment``: for the job itself, such as proxies."""

    version: str
    home: Path
    policy: Path
    state: Path
    sites: Path
    signing_key: Path
    path: str
    engine: str = "podman"
    engine_environment: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    registry_auth: Path | None = None

    @property
    def runs(self) -> Path:
        """The folders of runs under way."""
        return self.state / "runs"

    @property
    def kept(self) -> Path:
        """What is kept of ended runs, for inspection on the VM."""
        return self.state / "kept"

    @property
    def logs(self) -> Path:
        """What jobs and their SDKs print."""
        return self.state / "logs"

    @property
    def cache(self) -> Path:
        """Blobs that were transferred."""
        return self.state / "cache"

    def engine_for(self, run_id: str) -> Engine:
        """The engine, for one run."""
        surroundings = {"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8", **self.engine_environment}
        state = hashlib.sha256(str(self.state).encode()).hexdigest()[:16]
        return Engine(self.engine, surroundings, state=state, authfile=self.registry_auth, run_id=run_id)

    def shown(self, path: Path) -> str:
        """A path as people on the VM write it."""
        return f"~/{path.relative_to(self.home)}" if path.is_relative_to(self.home) else str(path)


def installed() -> Path:
    """Where this job's installation is described: beside the folders of its versions."""
    # sys.prefix is the version's folder, or the link to it.
    return Path(sys.prefix).parent / FILE


def load_installation(file: Path) -> Installation:
    """Read an installation; raises :class:`InstallationError` naming the file and the field."""
    remedy = "run edgetrain prepare-vm for this VM"
    try:
        mode = file.stat().st_mode
        fields = Fields(parse_json(file.read_text(encoding="utf-8")))
        if mode & 0o022:
            raise InstallationError(f"the VM's {file} can be changed by others; run chmod 600 on it")
        return _installation(fields)
    except OSError as error:
        raise InstallationError(f"the VM's {file} cannot be read ({error.strerror}); {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise InstallationError(f"the VM's {file} cannot be used: {error}; {remedy}") from None


def _installation(fields: Fields) -> Installation:
    fields.get("schema", whole(SCHEMA, SCHEMA), SCHEMA)
    home = fields.get("home", _absolute)

    def path(value: Any) -> Path:
        name = text(most=4_000)(value)
        return home / name.removeprefix("~/") if name.startswith("~/") else _absolute(name)

    return Installation(
        version=fields.get("version", text()),
        home=home,
        policy=fields.get("policy", path),
        state=fields.get("state", path),
        sites=fields.get("sites", path),
        signing_key=fields.get("signing_key", path),
        path=fields.get("path", text(most=4_000)),
        engine=fields.get("engine", choice("podman"), "podman"),
        engine_environment=fields.get("engine_environment", _variables, {}),
        environment=fields.get("environment", _variables, {}),
        registry_auth=fields.get("registry_auth", path, None),
    )


def _absolute(value: Any) -> Path:
    path = Path(text(most=4_000)(value))
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or begin with ~/")
    return path


def _variables(value: Any) -> dict[str, str]:
    fields = Fields(value)
    try:
        return {name: fields.get(name, text(most=32_000)) for name in fields.value}
    except FieldError as error:
        raise ValueError(str(error)) from None


def clean_environment(installation: Installation, environment: MutableMapping[str, str] | None = None) -> None:
    """Replace this process's environment by the installation's, but for what Azure ML's SDK needs to find its run."""
    surroundings = os.environ if environment is None else environment
    kept = {name: value for name, value in surroundings.items() if name.startswith(_AZURE_ML) or name in _KEPT}
    surroundings.clear()
    surroundings.update(
        {
            "PATH": installation.path,
            "HOME": str(installation.home),
            "LANG": "C.UTF-8",
            **installation.environment,
            **kept,
        }
    )
