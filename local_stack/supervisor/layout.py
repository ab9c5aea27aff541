"""The paths in a state folder."""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack.files import private_folder, write_private

MARKER = "EDGETRAIN_STACK"
"""Variable in the environment of every process of a stack; its value names the state folder's stack."""


class InUseError(Exception):
    """Another supervisor holds this state folder."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The state folder of one stack, ``.local`` by default. All of it belongs to its owner alone."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> "Layout":
        """The layout of ``root``, made absolute; nothing is written."""
        return cls(root.resolve())

    @property
    def logs(self) -> Path:
        """One log per service and start."""
        return self.root / "logs"

    @property
    def record(self) -> Path:
        """What runs: written by the supervisor at every change, read by ``status`` and ``down``."""
        return self.root / "stack.json"

    @property
    def ports(self) -> Path:
        """The ports, kept from start to start."""
        return self.root / "ports.json"

    @property
    def credentials(self) -> Path:
        """The generated secrets."""
        return self.root / "credentials.json"

    @property
    def signing_key(self) -> Path:
        """The private key that the app signs images with."""
        return self.root / "signing" / "key.pem"

    @property
    def endpoints(self) -> Path:
        """What clients of the running stack need."""
        return self.root / "endpoints.json"

    @property
    def identity(self) -> Path:
        """Names the stack. Also the sign that a folder is a state folder, without which nothing is deleted."""
        return self.root / "stack-id"

    @property
    def runtime(self) -> Path:
        """The VM's ``/run``: short, because a socket's path may not exceed 107 bytes, and gone after a reboot."""
        name = f"edgetrain-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]}"
        if os.geteuid() == 0:
            return Path("/run") / name
        return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / name

    @property
    def cloud_runtime(self) -> Path:
        """The same for the stand-in of Container Apps, whose containers are no part of the VM."""
        return self.runtime.with_name(f"{self.runtime.name}-cloud")

    def folder(self, service: str) -> Path:
        """A service's own folder, made when it is missing."""
        return private_folder(self.root / service)

    def create(self) -> str:
        """Make the folder where it is missing; returns the stack's id."""
        private_folder(self.root)
        private_folder(self.logs)
        if not self.identity.exists():
            write_private(self.identity, secrets.token_hex(16))
        return self.stack_id()

    def stack_id(self) -> str:
        """The stack's id; empty when this is no state folder."""
        return self.identity.read_text(encoding="ascii").strip() if self.identity.exists() else ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only supervisor of this folder. Raises :class:`InUseError`. The kernel lets go when we die."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InUseError(f"a stack runs in {self.root} already; stop it with: make down") from error
            yield
        finally:
            os.close(descriptor)
