"""A site's containers, and the three files with what its app and its VM get of the hub's storage: docs/rights.md.

Made with the account's key, which goes into none of them.
"""

import base64
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobServiceClient, LinearRetry

from infra.hub.sas import VERSION, Signer, for_the_app, for_the_manifests, for_the_vm
from shared.clients.storage_errors import ForeignAnswerError, require_own, translated
from shared.errors import Code, PermanentError, UnansweredError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.pipelines import Pipelines
from shared.values.texts import shortened, without_queries

VM_FILE: Final = "connection-string.txt"
_APP_FILE: Final = f"-{VM_FILE}"
_MANIFESTS_FILE: Final = "-manifests-sas.txt"
_CONNECT, _ANSWER = 10.0, 30.0
_SHOW: Final = (
    "az storage account show-connection-string --resource-group GROUP --name ACCOUNT"
    " --query connectionString --output tsv"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """A storage account as its owner has it. ``endpoint``: of its blobs; ``key``: base64."""

    name: str
    key: str = field(repr=False)
    endpoint: str


def account_in(connection_string: str) -> OwnAccount:
    """The account of its own connection string; raises :class:`PermanentError`, without the text, when it is none."""
    parts = (part.partition("=") for part in connection_string.strip().strip("\"'").split(";"))
    fields = {name.strip(): value.strip() for name, _, value in parts}
    if "SharedAccessSignature" in fields:
        raise _wrong(f"this connection string has a signature, which signs no others; take the account's own: {_SHOW}")
    name, key, endpoint = fields.get("AccountName", ""), fields.get("AccountKey", ""), _endpoint(fields)
    if not name or not _is_base64(key) or not endpoint:
        needs = "AccountName, AccountKey, and BlobEndpoint or EndpointSuffix"
        raise _wrong(f"this is not the connection string of a storage account, with {needs}; copy it again: {_SHOW}")
    return OwnAccount(name=name, key=key, endpoint=endpoint)


def containers_of(site: str, pipelines: Pipelines) -> list[str]:
    """The containers that a site needs: the app's manifests, and those that its pipelines' data come into.

    Raises :class:`PermanentError` when no pipeline has its data there, or a file cannot be read that might.
    """
    for reason in pipelines.broken.values():
        raise _wrong(f"{reason}; correct it first, since its container may be wanted")
    found = {each.data.container for each in pipelines.all if each.data.site == site}
    if not found:
        known = ", ".join(sorted({each.data.site for each in pipelines.all})) or "none"
        raise _wrong(f"no pipeline has its data at a site {site!r}; give one of: {known}")
    return sorted({*found, MANIFESTS})


def make_containers(account: OwnAccount, names: Sequence[str]) -> dict[str, bool]:
    """Make those that are not there; by name, whether it was made. Only who has a signature or the key gets into them.

    Raises :class:`TransientError` when the account does not answer as it should, and :class:`PermanentError` when it
    refuses the key.
    """
    client = BlobServiceClient(
        account.endpoint,
        {"account_name": account.name, "account_key": account.key},
        api_version=VERSION,
        retry_policy=LinearRetry(retry_total=0),
        connection_timeout=_CONNECT,
        read_timeout=_ANSWER,
        raw_response_hook=require_own,
    )
    with client:
        return {name: _make(client, account, name) for name in names}


def site_files(site: str, account: OwnAccount, *, ends: str) -> dict[str, str]:
    """The content of each file by its name. ``ends``: as in :class:`Signer`."""
    signer = Signer(account=account.name, key=account.key, ends=ends)
    return {
        f"{site}{_APP_FILE}": for_the_app(account.endpoint, signer),
        f"{site}{_MANIFESTS_FILE}": for_the_manifests(signer),
        VM_FILE: for_the_vm(account.endpoint, signer),
    }


def require_folder(folder: Path, site: str) -> None:
    """Raise :class:`PermanentError` unless the files of a site can be put there without replacing those of another."""
    if not folder.is_dir():
        raise _wrong(f"{folder} is no folder; make it first, outside of the clone: mkdir -m 700 {folder}")
    others = sorted(each.name for each in folder.glob(f"*{_APP_FILE}") if each.name != f"{site}{_APP_FILE}")
    if others:
        reason = f"{folder} has {others[0]} of another site, and each has a {VM_FILE}; give a folder for each site"
        raise _wrong(reason)


def write_private(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files or none; only their owner can read them, and what they replace is gone in one step."""
    new: dict[str, Path] = {}
    try:
        for name, text in files.items():
            with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".", delete=False, encoding="utf-8") as stream:
                new[name] = Path(stream.name)
                stream.write(text)  # without a line break, which would become a part of the secret
        for name, path in new.items():
            path.replace(folder / name)
    finally:
        for path in new.values():
            path.unlink(missing_ok=True)


def _endpoint(fields: Mapping[str, str]) -> str:
    given, suffix = fields.get("BlobEndpoint", ""), fields.get("EndpointSuffix", "")
    if not given and suffix:
        given = f"{fields.get('DefaultEndpointsProtocol', 'https')}://{fields.get('AccountName')}.blob.{suffix}/"
    with suppress(ValueError):
        address = urlsplit(given)
        return given if address.scheme in {"http", "https"} and address.hostname else ""
    return ""


def _is_base64(key: str) -> bool:
    try:
        return bool(base64.b64decode(key, validate=True))
    except ValueError:
        return False


def _make(client: BlobServiceClient, account: OwnAccount, name: str) -> bool:
    store = f"the storage account {account.name}"
    with translated(store, "the connection string"):
        try:
            client.create_container(name).close()
        except ResourceExistsError as error:
            if getattr(error, "error_code", "") != "ContainerAlreadyExists":
                raise  # it is being deleted
            return False
        except (HttpResponseError, ForeignAnswerError):
            raise
        except AzureError as error:
            cause = f"{store} did not answer at {account.endpoint}: {shortened(without_queries(error))}"
            hint = "where its certificate is not signed by a public authority, name a file with the hub's own"
            remedy = f"see that it is reached from here; {hint} and the public ones in REQUESTS_CA_BUNDLE"
            raise UnansweredError(f"{cause}; {remedy}") from None
        return True


def _wrong(reason: str) -> PermanentError:
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
