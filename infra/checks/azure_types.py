"""Azure's own descriptions of its resource types, as data in ``types/``; ``infra.checks.describe`` writes them.

``types/own/`` has what Microsoft's tool cannot describe: written by hand after the documentation, in the same form, and
no more than what our files use. docs/not-verified.md says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "types"
OWN = FOLDER / "own"


@dataclass(frozen=True, slots=True)
class AzureType:
    """``body``: the object type of its body; ``objects``: the object types in it, by name.

    An object type has ``properties``, each name with its type, and the lists ``required`` and ``read_only``; with
    ``additional`` it may have others besides. One of several shapes has them in ``elements``.
    """

    name: str
    api_version: str
    body: Mapping[str, Any]
    objects: Mapping[str, Mapping[str, Any]]


def file_of(name: str) -> str:
    """The name of the file with the description of a type."""
    return f"{name.replace('/', '_')}.json"


@cache
def known(name: str) -> AzureType | None:
    """The description of a type, or None when there is none."""
    for folder in (FOLDER, OWN):
        path = folder / file_of(name)
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            return AzureType(found["type"], found["api_version"], found["body"], found["objects"])
    return None
