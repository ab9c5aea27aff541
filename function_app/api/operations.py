"""The table of HTTP operations, one row each; bindings, dispatch and the OpenAPI document are generated from it.

``triggers/operations.py`` binds a row, ``handlers.py`` calls its function, ``openapi.py`` describes it. Inputs and
answers are declared only in the function's signature. Nothing slow is imported, to keep the cold start short.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.decisions.access.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: the function called ``name`` in ``function_app.api.<module>``.

    ``role``: who asks needs it where roles are configured; None: nobody needs one, since nothing is told of the
    system. ``durable``: its function takes the ``client``; ``keyed``: it needs a function key; ``answers``: status to
    what it means; ``problems``: what may go wrong besides what follows from the signature and what may everywhere.
    """

    name: str
    method: str
    path: str
    module: str
    summary: str
    role: Role | None
    durable: bool = False
    keyed: bool = True
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "The answer"})
    problems: tuple[int, ...] = ()
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_THE_RUN = {"run": {"operationId": "get_run", "parameters": {"run_id": "$response.body#/run_id"}}}

_THE_ACTION = {"action": {"operationId": "get_action", "parameters": {"action_id": "$response.body#/action_id"}}}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="start_run",
        method="POST",
        path="pipelines/{name}/runs",
        module="starts",
        summary="Train what lies in a pipeline's container now, unless exactly this was trained already",
        role=Role.OPERATOR,
        durable=True,
        answers={
            200: "The same was trained already, or is being trained; or a dry run",
            202: "A run was started",
        },
        problems=(404, 409),
        links=_THE_RUN,
    ),
    Operation(
        name="list_runs",
        method="GET",
        path="runs",
        module="lists",
        summary="Runs, newest first",
        role=Role.READER,
        durable=True,
        problems=(404, 409),
    ),
    Operation(
        name="get_run",
        method="GET",
        path="runs/{run_id}",
        module="runs",
        summary="A run, with its stage and progress while it is under way",
        role=Role.READER,
        durable=True,
        problems=(404,),
    ),
    Operation(
        name="cancel_run",
        method="POST",
        path="runs/{run_id}/cancel",
        module="cancels",
        summary="Cancel a run and undo what it made outside, or give up further attempts at one that failed",
        role=Role.OPERATOR,
        durable=True,
        problems=(404, 409),
    ),
    Operation(
        name="approve_run",
        method="POST",
        path="runs/{run_id}/approve",
        module="approvals",
        summary="Let a run's model be rolled out to the targets that wait for a yes",
        role=Role.APPROVER,
        durable=True,
        problems=(404, 409),
    ),
    Operation(
        name="reject_run",
        method="POST",
        path="runs/{run_id}/reject",
        module="approvals",
        summary="Keep a run's model from the targets that wait for a yes; they go on serving what they serve",
        role=Role.APPROVER,
        durable=True,
        problems=(404, 409),
    ),
    Operation(
        name="resume_run",
        method="POST",
        path="runs/{run_id}/resume",
        module="resumptions",
        summary="Go on from the stage where a run ended, with the results of its training; nothing is trained again",
        role=Role.OPERATOR,
        durable=True,
        answers={200: "It is resumed already", 202: "An attempt that goes on from there was started"},
        problems=(404, 409),
        links=_THE_RUN,
    ),
    Operation(
        name="compare_runs",
        method="GET",
        path="compare",
        module="comparisons",
        summary="Two runs side by side: data, code, parameters, hold-out and metrics",
        role=Role.READER,
        problems=(404,),
    ),
    Operation(
        name="list_pipelines",
        method="GET",
        path="pipelines",
        module="lists",
        summary="Every pipeline with its champion and what is wrong, files that are none, and removed pipelines",
        role=Role.READER,
    ),
    Operation(
        name="get_pipeline",
        method="GET",
        path="pipelines/{name}",
        module="lists",
        summary="A pipeline: champion, open window, expected data, what is wrong, quarantines and newest runs",
        role=Role.READER,
        durable=True,
        answers={200: "The pipeline; or the history of a removed one"},
        problems=(404, 409),
    ),
    Operation(
        name="list_arrivals",
        method="GET",
        path="pipelines/{name}/arrivals",
        module="lists",
        summary="What arrived for a pipeline and what became of it, newest first",
        role=Role.READER,
        problems=(404, 409),
    ),
    Operation(
        name="get_calendar",
        method="GET",
        path="pipelines/{name}/calendar",
        module="calendars",
        summary="How many files came on each day, and on which days they were expected and did not come",
        role=Role.READER,
        problems=(404, 409),
    ),
    Operation(
        name="list_strays",
        method="GET",
        path="arrivals",
        module="lists",
        summary="Events that no pipeline watches, or that could not be read, newest first",
        role=Role.READER,
    ),
    Operation(
        name="why",
        method="GET",
        path="why",
        module="explanations",
        summary="Why a blob was trained, or was not",
        role=Role.READER,
        durable=True,
        problems=(404, 409),
    ),
    Operation(
        name="release",
        method="POST",
        path="pipelines/{name}/release",
        module="quarantine_lifts",
        summary="Let data that failed too often be tried again",
        role=Role.OPERATOR,
        problems=(404, 409),
    ),
    Operation(
        name="retire_pipeline",
        method="POST",
        path="pipelines/{name}/retire",
        module="retirements",
        summary="Stop serving a pipeline's model everywhere and train no more; its history stays",
        role=Role.OPERATOR,
        durable=True,
        answers={200: "It is retired already", 202: "It is being retired"},
        problems=(404, 409),
        links=_THE_ACTION,
    ),
    Operation(
        name="reinstate_pipeline",
        method="POST",
        path="pipelines/{name}/reinstate",
        module="retirements",
        summary="Let a retired pipeline train again; nothing serves until a run is started",
        role=Role.OPERATOR,
        problems=(404, 409),
    ),
    Operation(
        name="list_targets",
        method="GET",
        path="targets",
        module="targets",
        summary="What each target should serve, what was seen there, since when, and what differs",
        role=Role.READER,
    ),
    Operation(
        name="roll_back",
        method="POST",
        path="targets/{target}/pipelines/{name}/roll-back",
        module="roll_backs",
        summary="Have a target serve an earlier release again, and put the one that serves now aside",
        role=Role.OPERATOR,
        durable=True,
        answers={200: "The same is being done already", 202: "The roll-back was started"},
        problems=(404, 409),
        links=_THE_ACTION,
    ),
    Operation(
        name="get_action",
        method="GET",
        path="actions/{action_id}",
        module="actions",
        summary="How a roll-back or a retirement goes",
        role=Role.READER,
        durable=True,
        problems=(404,),
    ),
    Operation(
        name="list_models",
        method="GET",
        path="models",
        module="registered_models",
        summary="Every model with the version that serves and its newest versions",
        role=Role.READER,
    ),
    Operation(
        name="get_model",
        method="GET",
        path="models/{model}",
        module="registered_models",
        summary="A model's versions with their runs, images and stages, newest first",
        role=Role.READER,
        problems=(404,),
    ),
    Operation(
        name="get_passport",
        method="GET",
        path="models/{model}/{version}/passport",
        module="passports",
        summary="The signed passport of a deployed version: where it comes from, how it was judged, where it went",
        role=Role.READER,
        answers={200: "The document and its signature; or a page with both for who prefers text/html"},
        problems=(404,),
    ),
    Operation(
        name="page_ticket",
        method="POST",
        path="page/tickets",
        module="page_tickets",
        summary="A link that signs a browser in at the page, once and within ten minutes, as the key that asks",
        role=Role.READER,
        problems=(409,),
    ),
    Operation(
        name="doctor",
        method="GET",
        path="doctor",
        module="doctor",
        summary="What is right and what is wrong with everything the app needs, with what mends it",
        role=Role.READER,
        problems=(404,),
    ),
    Operation(
        name="openapi",
        method="GET",
        path="openapi.json",
        module="openapi",
        summary="This document",
        role=None,
        answers={200: "An OpenAPI 3.1 document"},
    ),
    Operation(
        name="health",
        method="GET",
        path="health",
        module="health",
        summary="Whether the app runs",
        role=None,
        keyed=False,
    ),
)
