"""The page's bindings, one a row of ``function_app.page.addresses``."""

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.page.addresses import SCREENS, Screen
from shared.telemetry import span, trace_from_host


def blueprint(services: Services) -> df.Blueprint:
    """The screens, what people do there, the door, and the files that they need.

    The host asks for no key, since a browser sends none: ``function_app.page.who`` says who reads.
    """
    bp = df.Blueprint()
    for screen in SCREENS:
        function = bp.durable_client_input(client_name="client")(_function(screen, services))
        bp.route(route=screen.path, methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)(function)

    @bp.route(route="ui/assets/{file}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def page_asset(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.page.serving import asset

        encodings = req.headers.get("Accept-Encoding", "")
        return asset(req.route_params["file"], req.params.get("v", ""), encodings=encodings)

    @bp.route(route="favicon.ico", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def page_icon(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the worker hands it over
        from function_app.page.serving import asset

        return asset("icon.svg")

    @bp.route(route="ui/actions/{action}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def page_action(
        req: func.HttpRequest, client: df.DurableOrchestrationClient, context: func.Context
    ) -> func.HttpResponse:
        from function_app.page.acting import act

        with span("page_action", trace_from_host(context)):
            return await act(req, services, client)

    @bp.route(route="ui/sign-in", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
    async def page_sign_in(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.page.door import door, sign_in

        return await (sign_in if req.method == "POST" else door)(req, services)

    @bp.route(route="ui/sign-out", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    async def page_sign_out(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.page.door import sign_out

        return await sign_out(req, services)

    return bp


def _function(screen: Screen, services: Services) -> Callable[..., Any]:
    async def shown(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.page.serving import show

        return await show(screen, req, services, client)

    shown.__name__ = shown.__qualname__ = screen.name
    return shown
