"""Keys that are generated once per state folder: the VM signs receipts with one, the app images with another."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from local_stack.files import write_private

FILE: Final = "edgetrain/keys/site.pem"
"""Below the home of the VM's user, where the installed job looks for it."""


def ensure_site_key(home: Path) -> str:
    """Make sure the VM has a key; returns the public half as PEM."""
    return ensure_key(home / FILE)


def ensure_key(file: Path) -> str:
    """Make sure there is a private key in this file (mode 0600); returns the public half as PEM."""
    if not file.exists():
        fresh = generate_private_key(SECP256R1())
        write_private(file, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"))
    key = load_pem_private_key(file.read_bytes(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
