"""How a Service Bus namespace is reached: by connection string, or by the app's identity, as the settings say."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.servicebus.aio import ServiceBusClient
from pydantic import SecretStr

from shared.clients.identity import CheckedCredential, managed_identity
from shared.errors import Code, PermanentError
from shared.settings import SERVICE_BUS_SETTING, ServiceBus


@dataclass(frozen=True, slots=True)
class BusAccess:
    """``identity`` makes a credential for a client id; it is called when one is needed."""

    bus: ServiceBus
    identity: Callable[[str], CheckedCredential] = managed_identity

    @classmethod
    def of(cls, connection_string: str) -> "BusAccess":
        """Access with a key, or a shared access signature."""
        return cls(ServiceBus(connection_string=SecretStr(connection_string)))

    def client(self, **options: Any) -> ServiceBusClient:
        """A client of the namespace; raises :class:`PermanentError` when none is set, or by what is no setting."""
        # AMQP's own client does not look for the authorities to trust, as those of HTTP do.
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        trusted: dict[str, Any] = {"connection_verify": bundle} if bundle else {}
        if (text := self.bus.connection_string) is not None:
            try:
                return ServiceBusClient.from_connection_string(text.get_secret_value(), **trusted, **options)
            except ValueError:
                # Its text may hold the key: keep it out of the reason, and the error out of the log.
                reason = f"{SERVICE_BUS_SETTING} is not a connection string of a Service Bus namespace; copy it again"
                raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
        if not self.bus.namespace:
            reason = (
                f"the app settings have no {SERVICE_BUS_SETTING}__fullyQualifiedNamespace and no {SERVICE_BUS_SETTING};"
                " add one of them, so that upstream systems get their answers"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
        credential = _Asynchronous(self.identity(self.bus.client_id))
        return ServiceBusClient(self.bus.namespace, credential, **trusted, **options)


class _Asynchronous:
    """A credential for the SDKs that do not block; asking for a token may, so that is done on another thread."""

    def __init__(self, credential: CheckedCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return await asyncio.to_thread(self._credential.get_token, *scopes, **options)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        return await asyncio.to_thread(self._credential.get_token_info, *scopes, options=options)

    async def close(self) -> None:
        """The credential is the app's, and is used by others."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
