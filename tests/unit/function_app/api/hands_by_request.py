"""Hands asked for as clients do, and played to their end."""

from typing import Any

import pytest

from function_app.api import delivery_models as d
from function_app.problems import RefusedError
from shared.messages import (
    ActionEnd,
)
from tests.support.api import a_request, answer_of
from tests.support.durable_client import MemoryClient
from tests.support.hands import PIPELINE, TARGET, HandsWorld, action_of


def ask_for(name: str, world: HandsWorld, client: MemoryClient, path: str, **body: str) -> Any:
    return answer_of(name, a_request("POST", path=path, body={"reason": "it is wrong", **body}), world, client)


def rolled_back(world: HandsWorld, client: MemoryClient | None = None, **body: str) -> Any:
    return ask_for("roll_back", world, client or MemoryClient(), f"{TARGET}/{PIPELINE}", **body)


def refusal(name: str, world: HandsWorld, path: str, **body: str) -> RefusedError:
    client = MemoryClient()
    with pytest.raises(RefusedError) as refused:
        ask_for(name, world, client, path, **body)
    assert client.started == []
    return refused.value


def played(world: HandsWorld, client: MemoryClient, **answers: Any) -> ActionEnd:
    """What was started, played to its end."""
    (started,) = client.started
    return world.act(action_of(client.instances[started].given), **answers)


def shown(world: HandsWorld, action_id: str) -> d.ActionView:
    view: d.ActionView = answer_of("get_action", a_request(path=action_id), world, MemoryClient())
    return view


def retired(world: HandsWorld, client: MemoryClient | None = None) -> Any:
    return ask_for("retire_pipeline", world, client or MemoryClient(), PIPELINE)
