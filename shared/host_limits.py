"""The Functions host's time limit for one function, and so for one activity."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

OVERRIDE: Final = "AzureFunctionsJobHost__functionTimeout"  # the app setting that goes before host.json
DEFAULT_SECONDS: Final = 1800.0  # of the plans on which a function may take as long as ours do
_SPAN: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?")


def function_seconds(root: Path, environment: Mapping[str, str]) -> float | None:
    """Seconds after which the host ends a function of the app below ``root``; None when it never does.

    An invalid time span is reported by the host itself, and counts as the default here.
    """
    value = environment.get(OVERRIDE) or _of_host_json(root / "host.json")
    if value == "-1":
        return None
    found = _SPAN.fullmatch(value)
    if found is None:
        return DEFAULT_SECONDS
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _of_host_json(path: Path) -> str:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(document.get("functionTimeout", "")) if isinstance(document, dict) else ""
