"""Reads the file in which a training keeps its measurements of the champion's model."""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final

from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.statuses import finite_metrics
from shared.messages import ChampionMeasurement
from shared.values.texts import shortened

CHAMPION_FILE: Final = "outputs/champion.json"  # written by training/common/job_champion.py
MOST_BYTES: Final = 1 << 20
_LONGEST_TROUBLE: Final = 500

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
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("run %s: %s cannot be read, so nothing is known of the champion's metrics", run_id, CHAMPION_FILE)
        return None
