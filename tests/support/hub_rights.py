"""A site as the documentation asks for it: with no more rights than the app needs."""

from pydantic import SecretStr

from local_stack.storage.azurite import Account
from local_stack.storage.sas import account_sas, container_sas, listing_sas
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.settings import Site


def least_rights(connection_string: str, *, manifests: str = "rcwd", data: str = "") -> Site:
    """What an account's owner, whose connection string it is, would give to the app; ``data``: and what is too much."""
    fields = dict(part.split("=", 1) for part in connection_string.strip(";").split(";"))
    account = Account(fields["AccountName"], fields["AccountKey"], fields["AccountKey"])
    signed = account_sas(account, f"l{data}", "co") if data else listing_sas(account)
    text = f"BlobEndpoint={fields['BlobEndpoint']};SharedAccessSignature={signed}"
    signature = SecretStr(container_sas(account, MANIFESTS, manifests))
    return Site(connection_string=SecretStr(text), sas={"edgetrain_manifests": signature})
