"""A version that has a passport, in a registry that is not asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from function_app.api import passports
from shared.messages import IssuedPassport
from tests.simulation.world import World
from tests.support.page_world import IMAGE


@contextmanager
def a_passport(world: World, model: str, **more: Any) -> Iterator[None]:
    """Version 1 of the model, of its newest run; ``more`` is added to what the document says."""
    run_id = world.ledger.runs.list_runs([model], limit=1).items[0].run_id
    document: Mapping[str, Any] = {
        "pipeline": model,
        "run": {"run_id": run_id, "parameters": {}},
        "metrics": {"accuracy": 0.9},
    }
    world.services.__dict__ |= {"trusted_keys": (), "container_registry": None}
    world.ledger.passports.keep(IssuedPassport(model=model, version="1", image=IMAGE, run_id=run_id))
    found = SimpleNamespace(predicate={**document, **more}, bundle=json.dumps({}))
    with patch.object(passports, "Attachments", lambda _: SimpleNamespace(find=lambda *_: found)):
        yield
