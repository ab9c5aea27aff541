"""Show a roll-back or a retirement."""
# ruff: noqa: ARG001 - bodies follow

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.composition import Services
from function_app.problems import RefusedError


async def get_action(action_id: str, services: Services, client: df.DurableOrchestrationClient) -> d.ActionView:
    """The action of that id."""
    raise RefusedError(404, "unknown_action", f"there is no action {action_id!r}")
