"""The history service: experiments and runs, read and tagged."""

from typing import Any

from aiohttp import web

from local_stack.azure_ml import artifacts, runs
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.workspace import TOKEN_SECONDS, Workspace, now_text

_BASE = f"/history/v1.0{WS}"


class History:
    """By experiment name, by experiment id and by run id alone, as the SDK does each."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def routes(self) -> list[web.RouteDef]:
        """All of the service."""
        by_name, by_id, alone = (
            f"{_BASE}/experiments/{{exp}}",
            f"{_BASE}/experimentids/{{eid}}",
            f"{_BASE}/runs/{{run}}",
        )
        found = [
            web.get(by_name, self._read_experiment),
            web.post(by_name, self._create_experiment),
            web.get(by_id, self._read_experiment_by_id),
        ]
        for base in (f"{by_name}/runs/{{run}}", f"{by_id}/runs/{{run}}", alone):
            found += [
                web.get(base, self._read_run),
                web.patch(base, self._patch_run),
                web.get(f"{base}/details", self._details),
                web.get(f"{base}/token", self._run_token),
                web.get(f"{base}/metricsingest/wait", self._ingest_wait),
            ]
        return found

    def _run_of(self, request: web.Request) -> dict[str, Any]:
        run, asked = self._workspace.store.get(runs.RUN, request.match_info["run"]), request.match_info
        known = run and asked.get("exp", run["experimentName"]) == run["experimentName"]
        if run is None or not known or asked.get("eid", run["experimentId"]) != run["experimentId"]:
            raise ServiceError(404, "UserError", f"Run {request.match_info['run']} was not found")
        return run

    async def _read_experiment(self, request: web.Request) -> web.Response:
        found = self._workspace.store.get(runs.EXPERIMENT, request.match_info["exp"])
        if found is None:
            raise ServiceError(404, "UserError", f"Experiment {request.match_info['exp']} was not found")
        return web.json_response(found)

    async def _create_experiment(self, request: web.Request) -> web.Response:
        return web.json_response(runs.experiment(self._workspace, request.match_info["exp"]))

    async def _read_experiment_by_id(self, request: web.Request) -> web.Response:
        for found in self._workspace.store.all(runs.EXPERIMENT):
            if found["experimentId"] == request.match_info["eid"]:
                return web.json_response(found)
        raise ServiceError(404, "UserError", "Experiment was not found")

    async def _read_run(self, request: web.Request) -> web.Response:
        return web.json_response(runs.view(self._workspace, self._run_of(request)))

    async def _patch_run(self, request: web.Request) -> web.Response:
        run, body = self._run_of(request), await body_of(request)

        def edit(stored: dict[str, Any]) -> None:
            for group in ("tags", "properties"):
                stored[group] |= {key: str(value) for key, value in (body.get(group) or {}).items()}
            if body.get("description") is not None:
                stored["description"] = body["description"]

        changed = self._workspace.store.change(runs.RUN, run["runId"], edit)
        return web.json_response(runs.view(self._workspace, changed or run))

    async def _details(self, request: web.Request) -> web.Response:
        run = self._run_of(request)
        execution = self._workspace.store.get(runs.EXECUTION, run["runId"]) or {}
        container = f"ExperimentRun/{run['dataContainerId']}/"
        files = artifacts.stored(self._workspace, container)
        logs = [file for file in files if file["path"].startswith(("user_logs/", "system_logs/"))]
        return web.json_response(
            runs.details(run)
            | {
                "logFiles": {file["path"]: artifacts.content_url(self._workspace, file["artifactId"]) for file in logs},
                "runDefinition": execution.get("definition"),
                "inputDatasets": [],
                "outputDatasets": [],
            }
        )

    async def _run_token(self, request: web.Request) -> web.Response:
        run = self._run_of(request)
        token = self._workspace.token(run["runId"], run_id=run["runId"])
        return web.json_response({"token": token, "expiryTimeUtc": now_text(in_seconds=TOKEN_SECONDS)})

    async def _ingest_wait(self, _: web.Request) -> web.Response:
        return web.json_response({})
