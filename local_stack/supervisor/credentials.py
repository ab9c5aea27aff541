"""The secrets of one local stack: generated at the first start, then kept, never on a command line."""

import base64
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from local_stack.files import read_object, write_object


def _storage_key() -> str:
    # Account keys of Azure Storage are 64 random bytes in base64.
    return base64.b64encode(secrets.token_bytes(64)).decode()


def _password() -> str:
    return secrets.token_urlsafe(24)


def _suffix() -> str:
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Account names, keys and passwords. ``*_key1`` is for the app, ``hub_key2`` exists only on the VM.

    ``registry_pull_*`` is the VM's: it reads images and can write none.
    """

    cloud_account: str = field(default_factory=lambda: f"cloud{_suffix()}")
    cloud_key1: str = field(default_factory=_storage_key, repr=False)
    cloud_key2: str = field(default_factory=_storage_key, repr=False)
    hub_account: str = field(default_factory=lambda: f"factory{_suffix()}")
    hub_key1: str = field(default_factory=_storage_key, repr=False)
    hub_key2: str = field(default_factory=_storage_key, repr=False)
    registry_username: str = "edgetrain"
    registry_password: str = field(default_factory=_password, repr=False)
    registry_pull_username: str = "puller"
    registry_pull_password: str = field(default_factory=_password, repr=False)
    registry_secret: str = field(default_factory=_password, repr=False)
    service_bus_key: str = field(default_factory=_password, repr=False)
    function_key: str = field(default_factory=_password, repr=False)
    """Opens every function of the host. Made beforehand too, because the app's settings know it by its digest."""
    page_secret: str = field(default_factory=_storage_key, repr=False)
    webhook_key: str = field(default_factory=_password, repr=False)
    """Opens the host's Event Grid webhook. Made beforehand, because the two start in the other order."""

    @classmethod
    def load_or_create(cls, file: Path) -> "Credentials":
        """What ``file`` holds, completed by new secrets where it lacks some; the file has mode 0600."""
        known = {name.name for name in fields(cls)}
        credentials = cls(**{name: value for name, value in read_object(file).items() if name in known})
        write_object(file, asdict(credentials))
        return credentials
