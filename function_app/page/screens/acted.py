"""How a roll-back or a retirement goes. Asks the API's own function: two rows of the ledger, one orchestration."""

from dataclasses import dataclass

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api.actions import get_action
from function_app.composition import Services
from function_app.page.serving import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """The action as it is now."""

    action: d.ActionView


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Acted:
    """The action of that id."""
    return Acted(action=await get_action(asked.route["action_id"], services, client))
