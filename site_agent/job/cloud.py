"""What the job says to Azure ML about its run: tags and metrics that the egress guard released."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from site_agent.job.failures import OutsideError, bounded

FAILURE_TAG: Final = "edgetrain.failure"  # where the app finds why a training failed
KIND_TAG: Final = "edgetrain.failure_kind"  # and its failure kind: data, code or outside
LEFT_OUT_TAG: Final = "edgetrain.left_out"  # and what the run did without
CHAMPION_PREFIX: Final = "champion."  # of the metrics that show the champion's numbers

_LONGEST_TAG: Final = 900  # characters
_LONGEST_NAME: Final = 120
_SHOWN: Final = 5  # names for each reason


class CloudRun(Protocol):
    """A run of Azure ML, as its SDK has it."""

    def set_tags(self, tags: dict[str, str]) -> None:
        """Add or replace tags."""

    def log(self, name: str, value: float) -> None:
        """Log a metric."""

    def flush(self) -> None:
        """Wait until what was logged has arrived."""


class Omission(Protocol):
    """Files that were left out, and why."""

    @property
    def why(self) -> str:
        """``changed`` or ``faulty``."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the blobs."""


OpenRun = Callable[[], CloudRun]


def azure_ml_run() -> Any:
    """The Azure ML run that this process is; an error if it is none, because offline would lose the outcome."""
    from azureml.core import Run

    return Run.get_context(allow_offline=False)


class Opening:
    """Opens the run beside other work: importing the SDK alone takes seconds."""

    def __init__(self, open_run: OpenRun) -> None:
        self._open = open_run
        self._run: CloudRun | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def run(self) -> CloudRun:
        """The run; raises :class:`OutsideError` when Azure ML does not know this process as one of its runs."""
        self._thread.join()
        if self._run is None:
            kind = type(self._error).__name__
            raise OutsideError(f"Azure ML does not know this process as one of its runs ({kind})") from self._error
        return self._run

    def _work(self) -> None:
        try:
            self._run = self._open()
        except BaseException as error:  # noqa: BLE001 - the SDK also raises SystemExit; it is told in run()
            self._error = error


def report_metrics(run: CloudRun, metrics: Mapping[str, float], champion: Mapping[str, float]) -> None:
    """Log the released metrics, the champion's under names of their own; raises :class:`OutsideError`."""
    try:
        for name, value in sorted(metrics.items()):
            run.log(name, value)
        for name, value in sorted(champion.items()):
            run.log(f"{CHAMPION_PREFIX}{name}", value)
        run.flush()  # metrics travel in the background, and this process is about to end
    except Exception as error:
        reason = f"the training's outcome could not be reported to Azure ML ({type(error).__name__})"
        raise OutsideError(reason) from error


def left_out_tag(omissions: Sequence[Omission]) -> dict[str, str]:
    """The tag that says what the run did without: reason, count and some names; empty when it did without nothing."""
    entries = [
        {
            "why": omission.why,
            "count": len(omission.names),
            "first": [bounded(name, _LONGEST_NAME) for name in omission.names[:_SHOWN]],
        }
        for omission in omissions
        if omission.names
    ]
    while len(text := json.dumps(entries)) > _LONGEST_TAG:
        max(entries, key=lambda entry: sum(map(len, _names(entry))))["first"].pop()  # type: ignore[attr-defined]
    return {LEFT_OUT_TAG: text} if entries else {}


def _names(entry: Mapping[str, Any]) -> list[str]:
    names: list[str] = entry["first"]
    return names
