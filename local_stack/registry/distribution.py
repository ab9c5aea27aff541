"""Distribution, the reference container registry (Debian package ``docker-registry``): its configuration."""

from pathlib import Path

import bcrypt
import yaml

from local_stack.files import private_folder, write_private

_BCRYPT_COST = 5  # hashed again at every request; the password is random, so slowness protects nothing


def command(folder: Path) -> list[str]:
    """The command that serves what :func:`configure` wrote."""
    return ["docker-registry", "serve", str(folder / "config.yml")]


def configure(folder: Path, *, address: str, username: str, password: str, secret: str) -> None:
    """Write the registry's configuration and password file into ``folder``; images go below it too."""
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_COST)).decode()
    write_private(folder / "htpasswd", f"{username}:{hashed}\n")
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
