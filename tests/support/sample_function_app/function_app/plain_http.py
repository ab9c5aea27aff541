"""HTTP functions without anything durable."""

import json

import azure.durable_functions as df
import azure.functions as func


def blueprint() -> df.Blueprint:
    """Routes, levels, bodies and failures of plain HTTP functions."""
    bp = df.Blueprint()

    @bp.route(route="echo/{kind:alpha}/{id:int?}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
    def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        seen = {
            "method": req.method,
            "url": req.url,
            "route": dict(req.route_params),
            "query": dict(req.params),
            "header": req.headers.get("X-Sample"),
            "body": req.get_body().decode(),
            "function": context.function_name,
        }
        headers = {"X-Answer": "yes", "Set-Cookie": "seen=1; Path=/"}
        return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers=headers)

    @bp.route(route="guarded", methods=["GET"])
    def guarded(req: func.HttpRequest) -> str:
        return "function level"

    @bp.route(route="administered", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
    def administered(req: func.HttpRequest) -> str:
        return "admin level"

    @bp.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
    def broken(req: func.HttpRequest) -> str:
        raise LookupError("a secret in the text")

    @bp.route(route="silent", auth_level=func.AuthLevel.ANONYMOUS)
    def silent(req: func.HttpRequest) -> func.HttpResponse:
        return None

    @bp.route(route="files/{*path}", auth_level=func.AuthLevel.ANONYMOUS)
    async def files(req: func.HttpRequest) -> str:
        return str(req.route_params["path"])

    @bp.route(route="switched-off", auth_level=func.AuthLevel.ANONYMOUS)
    def switched_off(req: func.HttpRequest) -> str:
        return "only with the master key"

    return bp
