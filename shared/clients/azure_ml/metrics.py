"""Read the metrics of a run; a judged metric counts as missing only when a request by name says so.

azureml-core ignores every error of the list of names, and reads only its first page. So:

* Judged metrics are requested by name: errors are raised, and "there is none" is an answer.
* All others come from the file that the job wrote beside its model, in one piece; where there is no such file (a job of
  a pipeline's own), from the list, which may be incomplete.
* A judged metric that the service does not have and the job's file has counts: it was lost on the way.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final

from shared.clients.azure_ml.errors import translated
from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.statuses import finite_metrics

METRICS_FILE: Final = "outputs/metrics.json"  # written by site_agent/job/guard
MOST_BYTES: Final = 1 << 20

log = logging.getLogger(__name__)


def read_metrics(run: Any, outputs: RunOutputs, names: Iterable[str]) -> dict[str, float]:
    """The finite metrics of a run; those in ``names`` as the service has them. Raises our errors only."""
    recorded = _recorded(outputs, run.id)
    with translated(f"read the metrics of run {run.id}"):
        found = dict(run.get_metrics() if recorded is None else recorded)
        for name in names:
            # The SDK's values may be None; what is not there is not in its answer.
            found |= run.get_metrics(name=name)
    return finite_metrics(found)


def _recorded(outputs: RunOutputs, run_id: str) -> dict[str, Any] | None:
    content = outputs.small_file(METRICS_FILE, most=MOST_BYTES)
    if content is None:
        return None
    try:
        recorded = json.loads(content)
    except (ValueError, RecursionError):  # whoever wrote the training may have written it
        recorded = None
    if not isinstance(recorded, dict):
        log.warning("run %s: %s is not a JSON object; the metrics are read from the service", run_id, METRICS_FILE)
        return None
    return recorded
