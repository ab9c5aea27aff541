"""Key pairs for the VM's SSH server and its client, generated once per state folder."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from local_stack.files import write_private


def ensure_key(file: Path) -> str:
    """Make sure ``file`` holds an ed25519 private key (mode 0600); returns the public half, ``ssh-ed25519 AAAA...``."""
    if not file.exists():
        fresh = Ed25519PrivateKey.generate()
        text = fresh.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_private(file, text.decode())
    key = load_ssh_private_key(file.read_bytes(), password=None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def known_hosts_line(host: str, port: int, public_key: str) -> str:
    """The line by which a client pins the host key; a port other than 22 puts the host into brackets (sshd(8))."""
    name = host if port == 22 else f"[{host}]:{port}"
    return f"{name} {public_key}\n"
