"""The table of operations: what each takes and what it may answer.

``triggers/operations.py`` binds them, the OpenAPI document is made of this table, and a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from function_app.api import models as m
from shared.messages import Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    ``answers``: status to what it means and the models it may have; ``problems``: what may go wrong besides what may go
    wrong everywhere. ``keyed``: needs a function key; ``idempotent``: takes an Idempotency-Key.
    """

    name: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, tuple[str, tuple[type[Any], ...]]]
    problems: tuple[int, ...] = ()
    query: type[BaseModel] = m.NothingAsked
    body: type[BaseModel] | None = None
    keyed: bool = True
    idempotent: bool = False
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _one(model: type[Any], meaning: str = "The answer") -> dict[int, tuple[str, tuple[type[Any], ...]]]:
    return {200: (meaning, (model,))}


_THE_RUN = {"run": {"operationId": "get_run", "parameters": {"run_id": "$response.body#/run_id"}}}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="start_run",
        method="POST",
        path="pipelines/{name}/runs",
        summary="Train what lies in a pipeline's container now, unless exactly this was trained already",
        body=m.RunBody,
        answers={
            200: ("The same was trained already, or is being trained; or a dry run", (m.Accepted, Preview)),
            202: ("A run was started", (m.Accepted,)),
        },
        problems=(400, 404, 409, 413, 422),
        idempotent=True,
        links=_THE_RUN,
    ),
    Operation(
        name="list_runs",
        method="GET",
        path="runs",
        summary="Runs, newest first",
        query=m.RunsQuery,
        answers=_one(m.RunsPage),
        problems=(400, 404, 409),
    ),
    Operation(
        name="get_run",
        method="GET",
        path="runs/{run_id}",
        summary="A run, with its stage and progress while it is under way",
        answers=_one(m.RunView),
        problems=(400, 404),
    ),
    Operation(
        name="cancel_run",
        method="POST",
        path="runs/{run_id}/cancel",
        summary="End a run that goes on, or give up the further attempts after one that failed for trouble outside",
        answers=_one(m.Cancelled),
        problems=(400, 404, 409),
    ),
    Operation(
        name="list_pipelines",
        method="GET",
        path="pipelines",
        summary="Every pipeline with its champion and what is wrong, files that are none, and removed pipelines",
        answers=_one(m.PipelineList),
        problems=(400,),
    ),
    Operation(
        name="get_pipeline",
        method="GET",
        path="pipelines/{name}",
        summary="A pipeline with its champion, its open window, what is wrong or put aside, and its newest runs",
        answers={200: ("The pipeline; or what is left of a removed one", (m.PipelineDetail, m.RemovedPipeline))},
        problems=(400, 404, 409),
    ),
    Operation(
        name="list_arrivals",
        method="GET",
        path="pipelines/{name}/arrivals",
        summary="What arrived for a pipeline and what became of it, newest first",
        query=m.PageQuery,
        answers=_one(m.ArrivalsPage),
        problems=(400, 404, 409),
    ),
    Operation(
        name="list_strays",
        method="GET",
        path="arrivals",
        summary="Events that no pipeline watches, or that are not understood, newest first",
        query=m.StraysQuery,
        answers=_one(m.StraysPage),
        problems=(400,),
    ),
    Operation(
        name="why",
        method="GET",
        path="why",
        summary="Why a blob was trained, or was not",
        query=m.WhyQuery,
        answers=_one(m.Why),
        problems=(400, 404, 409),
    ),
    Operation(
        name="release",
        method="POST",
        path="pipelines/{name}/release",
        summary="Let data that failed too often be tried again",
        body=m.ReleaseBody,
        answers=_one(m.Released),
        problems=(400, 404, 409, 413),
    ),
    Operation(
        name="openapi",
        method="GET",
        path="openapi.json",
        summary="This document",
        answers=_one(dict, "An OpenAPI 3.1 document"),
        problems=(400,),
    ),
    Operation(
        name="health",
        method="GET",
        path="health",
        summary="Whether the app runs",
        answers=_one(m.Health),
        keyed=False,
    ),
)
