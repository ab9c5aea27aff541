"""Distribution, the reference container registry (Debian package ``docker-registry``): its configuration."""

from collections.abc import Mapping
from pathlib import Path

import bcrypt
import yaml

from local_stack.files import private_folder, write_private

_BCRYPT_COST = 5  # hashed again at every request; the password is random, so slowness protects nothing


def command(folder: Path) -> list[str]:
    """The command that serves what :func:`configure` wrote."""
    return ["docker-registry", "serve", str(folder / "config.yml")]


def configure(folder: Path, *, address: str, users: Mapping[str, str], secret: str) -> None:
    """Write the registry's configuration and password file into ``folder``; images go below it too.

    ``users``: name -> password. Each may do everything; what one may not do is held before it, see ``gate``.
    """
    write_private(folder / "htpasswd", "".join(f"{name}:{_hashed(password)}\n" for name, password in users.items()))
    configuration = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(private_folder(folder / "data"))},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
        },
        # Azure's registry client prefixes a slash to the Location of an upload, so that must be relative.
        "http": {"addr": address, "relativeurls": True, "secret": secret},
        "auth": {"htpasswd": {"realm": "edgetrain", "path": str(folder / "htpasswd")}},
    }
    write_private(folder / "config.yml", yaml.safe_dump(configuration, sort_keys=False))


def _hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_COST)).decode()
