"""``Microsoft.Insights/metrics`` of an app: ``Requests``, split by revision and class of status.

The service gives a total for each minute and is some minutes late; here the one point of the answer is the total of all
that was counted, at once, whatever the time span.
"""

import asyncio
from typing import Any, Final

from aiohttp import web

from local_stack.azure_arm.account import now_text
from local_stack.azure_arm.apps import APP, app_of
from local_stack.azure_arm.environment import Environment
from local_stack.azure_ml.answers import ServiceError

_METRICS: Final = f"{APP}/providers/{{provider:[Mm]icrosoft\\.[Ii]nsights}}/metrics"


def routes(environment: Environment) -> list[web.RouteDef]:
    """The metrics of an app."""

    async def get(request: web.Request) -> web.Response:
        app = app_of(environment, request)
        if request.query.get("metricnames") != "Requests":
            raise ServiceError(400, "BadRequest", "this stand-in has the metric Requests only")
        if "revisionName eq" not in request.query.get("$filter", ""):
            raise ServiceError(400, "BadRequest", "this stand-in answers by revisionName and statusCodeCategory only")
        seen = await asyncio.to_thread(environment.balancer.look)
        series: list[dict[str, Any]] = []
        for revision in app.revisions.values():
            now = seen[revision.name].counted if revision.name in seen else {}
            totals = {kind: revision.counted.get(kind, 0) + now.get(kind, 0) for kind in revision.counted | now}
            series += [_series(revision.name, kind, total) for kind, total in sorted(totals.items()) if total]
        identity = f"{environment.account.app_id(app.name)}/providers/Microsoft.Insights/metrics/Requests"
        return web.json_response(
            {
                "cost": 0,
                "timespan": request.query.get("timespan", ""),
                "interval": request.query.get("interval", "PT1M"),
                "namespace": "Microsoft.App/containerapps",
                "resourceregion": "local",
                "value": [
                    {
                        "id": identity,
                        "type": "Microsoft.Insights/metrics",
                        "name": {"value": "Requests", "localizedValue": "Requests"},
                        "unit": "Count",
                        "timeseries": series,
                        "errorCode": "Success",
                    }
                ],
            }
        )

    return [web.get(_METRICS, get)]


def _series(revision: str, kind: str, total: int) -> dict[str, Any]:
    values = {"revisionname": revision, "statuscodecategory": kind}
    return {
        "metadatavalues": [{"name": {"value": name, "localizedValue": name}, "value": v} for name, v in values.items()],
        "data": [{"timeStamp": now_text(), "total": float(total)}],
    }
