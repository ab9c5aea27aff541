"""Reads the file in which a training keeps its measurements of the champion's model, and the comparison with it."""

import json
import logging
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.statuses import finite_metrics
from shared.messages import ChampionMeasurement, Comparison
from shared.values.texts import shortened
from shared.values.wire import from_wire

CHAMPION_FILE: Final = "outputs/champion.json"  # written by site_agent/job
MOST_BYTES: Final = 1 << 20
_LONGEST_TROUBLE: Final = 500
_LONGEST_NAME: Final = 80

log = logging.getLogger(__name__)


def read_compared(outputs: RunOutputs, run_id: str, names: Iterable[str]) -> ChampionMeasurement | None:
    """The champion's measurements in these metrics; None when the training has none. Raises our errors only."""
    content = outputs.small_file(CHAMPION_FILE, most=MOST_BYTES)
    return None if content is None else compared_in(content, run_id, names)


def compared_in(content: bytes, run_id: str, names: Iterable[str]) -> ChampionMeasurement | None:
    """The measurements in the file's bytes, which are validated: a pipeline's own code may have written them."""
    try:
        said: Any = json.loads(content)
        asked = {name: said["metrics"][name] for name in names if name in said["metrics"]}
        return ChampionMeasurement(
            run_id=shortened(str(said["run_id"])),
            metrics=finite_metrics(asked),
            trouble=shortened(str(said.get("trouble") or ""), _LONGEST_TROUBLE),
            comparison=_comparison_in(said.get("comparison"), run_id),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("run %s: %s cannot be read, so nothing is known of the champion's metrics", run_id, CHAMPION_FILE)
        return None


def _comparison_in(value: Any, run_id: str) -> Comparison | None:
    if value is None:
        return None
    try:
        found = from_wire(Comparison, value)
    except (ValueError, TypeError):
        found = None
    if found is None or not _is_plausible(found):
        log.warning("run %s: the comparison in %s cannot be read", run_id, CHAMPION_FILE)
        return None
    worst = found.worst_slice
    named = replace(worst, name=shortened(worst.name, _LONGEST_NAME)) if worst else None
    return replace(found, method=shortened(found.method, _LONGEST_NAME), worst_slice=named)


def _is_plausible(found: Comparison) -> bool:
    numbers = [found.difference, found.low, found.high, found.level]
    numbers += [found.worst_slice.difference] if found.worst_slice else []
    numbers += [found.mcnemar.p] if found.mcnemar else []
    return all(map(math.isfinite, numbers)) and found.rows > 0 and found.low <= found.high and 0 < found.level < 1
