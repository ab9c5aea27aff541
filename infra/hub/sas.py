"""Signatures (SAS) for a hub's storage, of the last version that a hub knows; the SDK signs newer ones only.

What is signed: "Create an account SAS" and "Create a service SAS" in Azure Storage's REST reference. Which rights
whom: docs/rights.md.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from shared.formats.manifest import CONTAINER as MANIFESTS

VERSION: Final = "2019-07-07"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs with a key of an account. ``key``: base64; ``ends``: UTC, such as ``2027-06-30T12:00:00Z``."""

    account: str
    key: str = field(repr=False)
    ends: str

    def for_account(self, permissions: str, kinds: str, *, services: str = "b") -> str:
        """A signature for the whole account; ``kinds``: what it opens, as the reference writes it, such as ``co``.

        ``services``: of the account, by the reference's letters, where it is not for blobs.
        """
        fields = {
            "sp": permissions,
            "ss": services,
            "srt": kinds,
            "st": "",
            "se": self.ends,
            "sip": "",
            "spr": "",
            "sv": VERSION,
        }
        return self._signed(fields, "\n".join([self.account, *fields.values(), ""]))

    def for_container(self, container: str, permissions: str) -> str:
        """A signature for one container; ``permissions`` in the order of the reference, such as ``rcwd``."""
        resource = f"/blob/{self.account}/{container}"
        identifier = snapshot = sip = protocol = ""
        response_headers = [""] * 5
        fields = {"sp": permissions, "se": self.ends, "sv": VERSION, "sr": "c"}
        rest = [identifier, sip, protocol, VERSION, "c", snapshot, *response_headers]
        return self._signed(fields, "\n".join([permissions, "", self.ends, resource, *rest]))

    def _signed(self, fields: dict[str, str], text: str) -> str:
        digest = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        present = {name: value for name, value in fields.items() if value}
        return urlencode({**present, "sig": base64.b64encode(digest).decode()})


def for_the_app(endpoint: str, signer: Signer) -> str:
    """The connection string with which the app lists what lies in containers, and does nothing else."""
    return _connection_string(endpoint, signer.for_account("l", "c"))


def for_the_manifests(signer: Signer) -> str:
    """The signature with which the app keeps its own lists."""
    return signer.for_container(MANIFESTS, "rcwd")


def for_the_vm(endpoint: str, signer: Signer) -> str:
    """The connection string with which trainings read blobs, and do nothing else."""
    return _connection_string(endpoint, signer.for_account("r", "o"))


def _connection_string(endpoint: str, signature: str) -> str:
    return f"BlobEndpoint={endpoint};SharedAccessSignature={signature}"
