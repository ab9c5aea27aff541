"""A site as the documentation asks for it: with no more rights than the app and the VM need."""

from pydantic import SecretStr

from infra.hub.sas import Signer, for_the_app, for_the_vm
from infra.hub.signatures import OwnAccount, account_in
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.settings import Site

ENDS = "2099-01-01T00:00:00Z"


def least_rights(connection_string: str, *, manifests: str = "rcwd", data: str = "") -> Site:
    """What an account's owner, whose connection string it is, would give to the app; ``data``: and what is too much."""
    account = account_in(connection_string)
    signer = _signer(account)
    text = for_the_app(account.endpoint, signer)
    if data:
        text = f"BlobEndpoint={account.endpoint};SharedAccessSignature={signer.for_account(f'l{data}', 'co')}"
    signature = SecretStr(signer.for_container(MANIFESTS, manifests))
    return Site(connection_string=SecretStr(text), sas={"edgetrain_manifests": signature})


def rights_of_the_vm(connection_string: str) -> str:
    """The connection string that an account's owner would give to the VM."""
    account = account_in(connection_string)
    return for_the_vm(account.endpoint, _signer(account))


def _signer(account: OwnAccount) -> Signer:
    return Signer(account=account.name, key=account.key, ends=ENDS)
