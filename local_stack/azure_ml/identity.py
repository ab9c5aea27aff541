"""Cloud metadata, authority, ARM and discovery: how a client finds and enters the workspace."""

from aiohttp import web

from local_stack.azure_ml.answers import WS
from local_stack.azure_ml.workspace import CLOUD, TENANT, TOKEN_SECONDS, Workspace

_SERVICES = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio", "metrics", "artifacts")


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """The services before the workspace's own; the first four need no token."""

    async def metadata(_: web.Request) -> web.Response:
        # Twice: several paths of the SDK hard-code AzureCloud and ask the public cloud when that name is missing.
        return web.json_response([_cloud(workspace, "AzureCloud"), _cloud(workspace, CLOUD)])

    async def openid(_: web.Request) -> web.Response:
        base = f"{workspace.url}/adfs"
        return web.json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/oauth2/authorize",
                "token_endpoint": f"{base}/oauth2/token",
            }
        )

    async def token(request: web.Request) -> web.Response:
        form, who = await request.post(), workspace.identity
        if form.get("client_id") != who["client_id"] or form.get("client_secret") != who["client_secret"]:
            reason = "AADSTS7000215: Invalid client secret provided."
            return web.json_response({"error": "invalid_client", "error_description": reason}, status=401)
        access = workspace.token(str(form["client_id"]))
        return web.json_response({"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": access})

    async def discovery(_: web.Request) -> web.Response:
        return web.json_response(dict.fromkeys(_SERVICES, workspace.url))

    async def subscriptions(_: web.Request) -> web.Response:
        who = workspace.identity["subscription_id"]
        entry = {"id": f"/subscriptions/{who}", "subscriptionId": who, "displayName": "edgetrain", "state": "Enabled"}
        return web.json_response({"value": [entry | {"tenantId": TENANT}], "nextLink": ""})

    async def get_workspace(_: web.Request) -> web.Response:
        who = workspace.identity
        return web.json_response(
            {
                "id": workspace.scope,
                "name": who["workspace"],
                "type": "Microsoft.MachineLearningServices/workspaces",
                "location": "local",
                "tags": {},
                "properties": {
                    "workspaceId": who["workspace_id"],
                    "discoveryUrl": f"{workspace.url}/discovery",
                    "friendlyName": who["workspace"],
                },
            }
        )

    return [
        web.get("/metadata/endpoints", metadata),
        web.get("/adfs/.well-known/openid-configuration", openid),
        web.post("/adfs/oauth2/token", token),
        web.get("/discovery", discovery),
        web.get("/subscriptions", subscriptions),
        web.get(WS, get_workspace),
    ]


def _cloud(workspace: Workspace, name: str) -> dict[str, object]:
    return {
        "name": name,
        "portal": workspace.url,
        "resourceManager": workspace.url,
        "authentication": {
            "loginEndpoint": workspace.url,
            "audiences": [workspace.url],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": "local", "acrLoginServer": "local", "keyVaultDns": "local"},
    }
