"""The app's settings on the local stack when it logs in with its identity, as ``infra/modules/app.bicep`` makes them.

What is reached so has neither key nor secret in them. The rest of the settings is that of ``app_settings``: a hub's
storage knows no Entra ID, the registry here no tokens of it, and there is no Key Vault that would sign.
"""

from typing import Any, Final

from local_stack.supervisor.app_settings import app_settings

SECRETS: Final = (
    "AzureWebJobsStorage",
    "ServiceBusConnection",
    "EDGETRAIN_ANNOUNCEMENTS__KEY",
    "EDGETRAIN_AZURE_ML__CLIENT_SECRET",
    "EDGETRAIN_TARGETS__CLOUD__CLIENT_SECRET",
)
"""The settings that the identity stands for."""
_OF_THE_PRINCIPAL: Final = ("EDGETRAIN_TARGETS__CLOUD__TENANT_ID", "EDGETRAIN_TARGETS__CLOUD__AUTHORITY")


def app_settings_by_identity(endpoints: dict[str, Any]) -> dict[str, str]:
    """The environment of the app for the stack with these endpoints, when it has a user-assigned identity."""
    identity, topics = endpoints["identity"], endpoints["event_grid"]["by_token"]["endpoints"]
    client_id = identity["client_ids"][-1]
    storage = endpoints["cloud_storage"]["by_token"]
    others = {
        name: value for name, value in app_settings(endpoints).items() if name not in {*SECRETS, *_OF_THE_PRINCIPAL}
    }
    return {
        **others,
        "IDENTITY_ENDPOINT": identity["IDENTITY_ENDPOINT"],
        "IDENTITY_HEADER": identity["IDENTITY_HEADER"],
        "AZURE_CLIENT_ID": client_id,
        **{f"AzureWebJobsStorage__{kind}ServiceUri": url for kind, url in storage["endpoints"].items()},
        **_managed_identity("AzureWebJobsStorage", client_id),
        "ServiceBusConnection__fullyQualifiedNamespace": endpoints["service_bus"]["by_token"]["namespace"],
        **_managed_identity("ServiceBusConnection", client_id),
        "EDGETRAIN_ANNOUNCEMENTS__ENDPOINT": topics["announcements"],
        "EDGETRAIN_AZURE_ML__CLIENT_ID": client_id,
        "EDGETRAIN_TARGETS__CLOUD__CLIENT_ID": client_id,
        # In Azure these speak TLS with authorities that are known everywhere; here each has one of its own.
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), identity["ca_bundle"]),
    }


def _managed_identity(connection: str, client_id: str) -> dict[str, str]:
    return {f"{connection}__credential": "managedidentity", f"{connection}__clientId": client_id}
