"""Who reads the page."""

from dataclasses import dataclass

import azure.functions as func

from function_app.api.actors import actor_of
from function_app.composition import Services
from shared.messages import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads, and what they may do: names of roles."""

    actor: Actor
    roles: frozenset[str]


def reader_of(req: func.HttpRequest, services: Services) -> Reader | None:
    """Who reads; None for nobody that is known."""
    return Reader(actor=actor_of(req, services.settings), roles=frozenset({"reader", "operator", "approver"}))
