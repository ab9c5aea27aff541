"""The names that the app's settings define, for checking pipelines without a secret being read.

From the variables of the environment, or else from ``local.settings.json``, where the Functions tools keep them. Only
names of variables count: ``EDGETRAIN_SITES__FACTORY__CONNECTION_STRING`` says that there is a site ``factory``.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from shared.host_limits import function_seconds
from shared.pipelines import Surroundings, training_folders

_PREFIX = "EDGETRAIN_"
_PARTS = ("SITES", "COMPUTES", "TARGETS")


def surroundings(root: Path, environment: Mapping[str, str]) -> Surroundings | None:
    """What pipelines may name; None where there are no settings of the app."""
    for variables in (environment, _local_settings(root)):
        names = {part: _defined(variables, part) for part in _PARTS}
        if any(names.values()):
            return Surroundings(
                sites=names["SITES"],
                computes=names["COMPUTES"],
                targets=names["TARGETS"],
                folders=training_folders(root),
                function_seconds=function_seconds(root, variables),
            )
    return None


def _local_settings(root: Path) -> Mapping[str, str]:
    try:
        values = json.loads((root / "local.settings.json").read_text(encoding="utf-8"))["Values"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return values if isinstance(values, dict) else {}


def _defined(variables: Mapping[str, str], part: str) -> set[str]:
    start = f"{_PREFIX}{part}__"
    names = {name.upper().removeprefix(start) for name in variables if name.upper().startswith(start)}
    found = {name.partition("__")[0].lower() for name in names}
    whole = variables.get(f"{_PREFIX}{part}", "")
    try:
        given = json.loads(whole) if whole else {}
    except ValueError:
        given = {}
    return found | {str(name).lower() for name in given} if isinstance(given, dict) else found
