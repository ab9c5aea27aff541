"""Signatures (SAS) for a hub's storage, of the last version that a hub knows; the SDK signs newer ones only.

What is signed: "Create an account SAS" and "Create a service SAS" in Azure Storage's REST reference.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from local_stack.storage.azurite import Account

VERSION = "2019-07-07"
EXPIRY = "2099-01-01T00:00:00Z"


def listing_sas(account: Account) -> str:
    """A signature with which one may list what lies in containers, and nothing else."""
    return account_sas(account, "l", "c")


def account_sas(account: Account, permissions: str, kinds: str, *, services: str = "b") -> str:
    """A signature for all blobs; ``kinds``: what it opens, as the reference writes it, such as ``co``.

    ``services``: of the account, by the reference's letters, where it is not for blobs.
    """
    fields = {
        "sp": permissions,
        "ss": services,
        "srt": kinds,
        "st": "",
        "se": EXPIRY,
        "sip": "",
        "spr": "",
        "sv": VERSION,
    }
    return _signed(account, fields, "\n".join([account.name, *fields.values(), ""]))


def container_sas(account: Account, container: str, permissions: str) -> str:
    """A signature for one container; ``permissions`` in the order of the reference, such as ``rcwd``."""
    resource = f"/blob/{account.name}/{container}"
    identifier = snapshot = sip = protocol = ""
    response_headers = [""] * 5
    fields = {"sp": permissions, "se": EXPIRY, "sv": VERSION, "sr": "c"}
    text = [permissions, "", EXPIRY, resource, identifier, sip, protocol, VERSION, "c", snapshot, *response_headers]
    return _signed(account, fields, "\n".join(text))


def _signed(account: Account, fields: dict[str, str], text: str) -> str:
    digest = hmac.new(base64.b64decode(account.key1), text.encode(), hashlib.sha256).digest()
    present = {name: value for name, value in fields.items() if value}
    return urlencode({**present, "sig": base64.b64encode(digest).decode()})
