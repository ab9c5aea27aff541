"""Roll a target back to an earlier release."""
# ruff: noqa: ARG001 - bodies follow

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.handlers import Located
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Actor


async def roll_back(
    target: str,
    name: str,
    *,
    body: m.RollBackBody,
    actor: Actor,
    services: Services,
    client: df.DurableOrchestrationClient,
) -> Located[d.ActionView]:
    """Start the roll-back."""
    raise RefusedError(409, "nothing_to_roll_back", f"target {target} keeps no release of pipeline {name}")
