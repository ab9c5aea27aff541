"""Retire a pipeline, and take that back."""
# ruff: noqa: ARG001 - bodies follow

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.handlers import Located
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Actor


async def retire_pipeline(
    name: str, body: m.RetireBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> Located[d.ActionView]:
    """Start the retirement."""
    raise RefusedError(409, "not_retirable", f"pipeline {name} cannot be retired yet")


def reinstate_pipeline(name: str, body: m.HandBody, actor: Actor, services: Services) -> d.Reinstated:
    """Let it train again."""
    raise RefusedError(409, "not_retired", f"pipeline {name} is not retired, so there is nothing to take back")
