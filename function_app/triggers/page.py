"""The page's bindings, one a row of ``function_app.page.addresses``."""

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.page.addresses import SCREENS, Screen


def blueprint(services: Services) -> df.Blueprint:
    """The screens, and the files that they need."""
    bp = df.Blueprint()
    for screen in SCREENS:
        function = bp.durable_client_input(client_name="client")(_function(screen, services))
        bp.route(route=screen.path, methods=["GET"], auth_level=func.AuthLevel.FUNCTION)(function)

    @bp.route(route="ui/assets/{file}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def page_asset(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.page.serving import asset

        return asset(req.route_params["file"])

    @bp.route(route="favicon.ico", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def page_icon(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the worker hands it over
        from function_app.page.serving import asset

        return asset("icon.svg")

    return bp


def _function(screen: Screen, services: Services) -> Callable[..., Any]:
    async def shown(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.page.serving import show

        return await show(screen, req, services, client)

    shown.__name__ = shown.__qualname__ = screen.name
    return shown
