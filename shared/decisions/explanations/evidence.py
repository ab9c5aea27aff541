"""What is known of a blob, and what can be said of it; the rules between the two are in ``blob_verdict``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.decisions.explanations.serving_model import Serving
from shared.formats.manifest import BlobEntry
from shared.messages import Arrival, Quarantine, RejectedEvent, RunRecord, Trouble, Verdict, WindowState

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


class Told(Protocol):
    """An event that told of the blob, with what became of it."""

    @property
    def arrival(self) -> Arrival:
        """What the event said."""

    @property
    def verdict(self) -> Verdict:
        """``JOINED`` until its window is judged."""

    @property
    def reason(self) -> str:
        """Empty until then."""

    @property
    def window_id(self) -> str | None:
        """The window it joined."""

    @property
    def run_id(self) -> str | None:
        """The run that the verdict is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The newest run whose snapshot lists the blob, and the version of it that it lists."""

    run: RunRecord
    entry: BlobEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of a blob, lists newest first.

    ``told``: events that reached the pipeline; ``strays``: those that no pipeline watched; ``misunderstood``: those
    that mention the blob and were not understood. ``entry``: the blob as it is on the hub now, None when it is not
    there; ``trouble``: why the hub could not be asked. ``searched``: the runs whose snapshots were looked through for
    ``taken``. ``serving``: whose model serves; ``serves_it``: it was trained on a version of the blob. ``runs``: those
    that verdicts name. ``window``: the pipeline's open one. ``quarantines``: active ones.
    ``troubles``: what is wrong with the pipeline now.
    """

    pipeline: Pipeline
    blob: str
    now: datetime
    told: Sequence[Told] = ()
    strays: Sequence[Told] = ()
    misunderstood: Sequence[RejectedEvent] = ()
    entry: BlobEntry | None = None
    trouble: str = ""
    taken: Taken | None = None
    searched: AbstractSet[str] = frozenset()
    runs: Mapping[str, RunRecord] = field(default_factory=dict)
    window: WindowState | None = None
    quarantines: Sequence[Quarantine] = ()
    serving: Serving | None = None
    serves_it: bool = False
    troubles: Sequence[Trouble] = ()

    @property
    def event(self) -> Told | None:
        """The newest event that counts: a duplicate only when there is nothing else."""
        first = (entry for entry in self.told if entry.verdict is not Verdict.DUPLICATE)
        return next(first, self.told[0] if self.told else None)

    @property
    def gone(self) -> str:
        """What to add when the blob has been deleted since."""
        return "" if self.entry or self.trouble else "; the blob has been deleted since"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. ``run_id``: the run that it is about."""

    verdict: Verdict | None
    sentence: str
    run_id: str | None = None
