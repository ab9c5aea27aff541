"""``host.json`` for each place where the state of orchestrations may be; the parameter ``durableBackend`` of Bicep.

The file at the top of the repository is the one for the storage account. The others are it with a file of this folder
laid over it, so that nothing else can differ; ``docs/scaling.md`` says when to take which.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
STORAGE: Final = "storage"
USUAL_BUNDLE: Final = "[4.*, 5.0.0)"

_HERE: Final = Path(__file__).parent
CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    STORAGE: {},
    **{path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(_HERE.glob("*.json"))},
}
"""By backend: what differs from the storage account's, one file each."""


def document(backend: str) -> dict[str, Any]:
    """The content of ``host.json`` for a backend."""
    base: dict[str, Any] = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    if base["extensions"]["durableTask"].pop("storageProvider", None):  # a variant lies there
        base["extensionBundle"]["version"] = USUAL_BUNDLE
    _over(base, CHANGES[backend])
    return base


def written(backend: str) -> str:
    """A variant as text."""
    return json.dumps(document(backend), indent=2) + "\n"


def backend_in(text: str) -> str:
    """Which backend a ``host.json`` is for; ``another`` when it is none of these."""
    provider = json.loads(text).get("extensions", {}).get("durableTask", {}).get("storageProvider", {})
    kinds = {
        change.get("extensions", {}).get("durableTask", {}).get("storageProvider", {}).get("type"): name
        for name, change in CHANGES.items()
    }
    return kinds.get(provider.get("type"), "another")


def _over(base: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _over(base[key], value)
        else:
            base[key] = value
