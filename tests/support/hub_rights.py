"""A site as the documentation asks for it: with no more rights than the app needs."""

from pydantic import SecretStr

from local_stack.storage.azurite import Account
from local_stack.storage.sas import container_sas, listing_sas
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.settings import Site


def least_rights(connection_string: str, *, manifests: str = "rcwd") -> Site:
    """What an account's owner, whose connection string it is, would give to the app."""
    fields = dict(part.split("=", 1) for part in connection_string.strip(";").split(";"))
    account = Account(fields["AccountName"], fields["AccountKey"], fields["AccountKey"])
    text = f"BlobEndpoint={fields['BlobEndpoint']};SharedAccessSignature={listing_sas(account)}"
    signature = SecretStr(container_sas(account, MANIFESTS, manifests))
    return Site(connection_string=SecretStr(text), sas={"edgetrain_manifests": signature})
