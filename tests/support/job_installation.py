"""The job as ``edgetrain prepare-vm`` installs it, but with the libraries of the tests instead of its own."""

import base64
import json
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from site_agent.job.guard.signing import make_key
from site_agent.job.installation import Installation, load_installation
from tests.support.scoring_image import ImageRegistry

ROOT = Path(__file__).resolve().parents[2]
VERSION = "0123456789abcdef"


@dataclass(frozen=True)
class InstalledJob:
    """An installation below a home."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "edgetrain/job"

    @property
    def python(self) -> Path:
        """What Azure ML is told to run ``job.py`` with."""
        return self.folder / "current/bin/python"

    @property
    def policy(self) -> Path:
        return self.home / "edgetrain/policy.yaml"

    @property
    def installation(self) -> Installation:
        return load_installation(self.folder / "installation.json")

    def write_policy(self, text: str) -> None:
        """Replace the site's policy."""
        self.policy.parent.mkdir(parents=True, exist_ok=True)
        self.policy.write_text(text, encoding="utf-8")
        self.policy.chmod(0o600)


def install_for_tests(
    home: Path, *, path: str, engine_environment: Mapping[str, str], registry: ImageRegistry | None = None
) -> InstalledJob:
    """Lay the installation out below ``home``; its policy is still to be written."""
    installed = InstalledJob(home)
    version = installed.folder / VERSION
    version.parent.mkdir(parents=True, exist_ok=True)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix) / "bin" / python
    subprocess.run([base, "-m", "venv", "--without-pip", version], check=True)
    packages = version / "lib" / python / "site-packages"
    (packages / "tests.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    shutil.copytree(ROOT / "site_agent", packages / "site_agent", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (packages / "site_agent").rglob("*.py"):
        file.chmod(0o600)
    (installed.folder / "current").symlink_to(VERSION)
    key = home / "edgetrain/keys/site.pem"
    key.parent.mkdir(mode=0o700, exist_ok=True)
    if not key.exists():
        key.write_bytes(make_key())
        key.chmod(0o600)
    described: dict[str, Any] = {
        "version": VERSION,
        "home": str(home),
        "policy": "~/edgetrain/policy.yaml",
        "state": "~/edgetrain/state",
        "sites": "~/.config/edgetrain/sites",
        "signing_key": "~/edgetrain/keys/site.pem",
        "path": path,
        "engine": "podman",
        "engine_environment": dict(engine_environment),
    }
    if registry is not None:
        pair = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        auth = home / "edgetrain/keys/registries.json"
        auth.write_text(json.dumps({"auths": {registry.address: {"auth": pair}}}), encoding="utf-8")
        auth.chmod(0o600)
        described["registry_auth"] = "~/edgetrain/keys/registries.json"
    file = installed.folder / "installation.json"
    file.write_text(json.dumps(described), encoding="utf-8")
    file.chmod(0o600)
    return installed
