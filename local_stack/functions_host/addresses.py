"""Where the host can be reached, and the links built from that.

Source of the shapes: the Durable Task extension's client binding data (``HttpManagementPayload`` and friends), as
``azure-functions-durable`` reads them.
"""

import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

WEBHOOK_PATH: Final = "runtime/webhooks/durabletask"
RPC_PATH: Final = "durabletask"
# The SDK replaces this text by the real id wherever it occurs in a link, so it must occur nowhere else.
_ID_PLACEHOLDER: Final = "INSTANCEID"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base URLs of the two listeners and what a durable client needs besides."""

    url: str
    """Public listener, no trailing slash."""
    rpc_url: str
    """Keyless loopback listener for the SDK, no trailing slash."""
    hub_name: str
    durable_key: str = field(repr=False)

    def client_binding(self) -> str:
        """JSON text for a ``durableClient`` parameter."""
        base = f"{self.url}/{WEBHOOK_PATH}"
        create = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
        wait = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
        return json.dumps(
            {
                "taskHubName": self.hub_name,
                "connectionName": None,
                "creationUrls": {
                    "createNewInstancePostUri": f"{create}?code={self._code}",
                    "createAndWaitOnNewInstancePostUri": f"{create}?{wait}&code={self._code}",
                },
                "managementUrls": self.management_links(_ID_PLACEHOLDER),
                "baseUrl": base,
                "requiredQueryStringParameters": f"code={self._code}",
                # The SDK appends paths to it as they are, hence the slash.
                "rpcBaseUrl": f"{self.rpc_url}/{RPC_PATH}/",
                "httpBaseUrl": None,
            }
        )

    def management_links(self, instance_id: str) -> dict[str, str]:
        """Every management link of an instance, as a start answers it. They hold the extension's key."""
        instance = f"{self.url}/{WEBHOOK_PATH}/instances/{quote(instance_id, safe='')}"
        query = f"taskHub={self.hub_name}&connection=Storage&code={self._code}"
        reason = f"reason={{text}}&{query}"
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?{reason}",
            "rewindPostUri": f"{instance}/rewind?{reason}",
            "suspendPostUri": f"{instance}/suspend?{reason}",
            "resumePostUri": f"{instance}/resume?{reason}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "restartPostUri": f"{instance}/restart?{query}",
        }

    @property
    def _code(self) -> str:
        return quote(self.durable_key, safe="")
