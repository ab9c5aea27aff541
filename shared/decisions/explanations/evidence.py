"""The evidence about a blob and the explanation built from it; the rules are in ``blob_verdict``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.decisions.explanations.serving_model import ServingModel
from shared.formats.manifest import BlobEntry
from shared.messages import Arrival, Quarantine, RejectedEvent, RunRecord, Trouble, Verdict, WindowState

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


class JudgedEvent(Protocol):
    """An event about the blob, with its verdict."""

    @property
    def arrival(self) -> Arrival:
        """The event's content."""

    @property
    def verdict(self) -> Verdict:
        """``JOINED`` until its window is decided."""

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
class ListedIn:
    """The newest run whose snapshot lists the blob, and the listed version."""

    run: RunRecord
    entry: BlobEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of a blob, lists newest first.

    ``events``: those that reached the pipeline; ``outside_events``: those that no pipeline watched;
    ``rejected_events``: those that mention the blob and were not understood. ``entry``: the blob as it is on the hub
    now, None when it is not there; ``trouble``: why the hub could not be asked. ``searched_runs``: the runs whose
    snapshots were looked through for ``listed_in``. ``serving``: whose model serves; ``serving_has_it``: it was trained
    on a version of the blob. ``runs``: those that verdicts name. ``window``: the pipeline's open one. ``quarantines``:
    active ones. ``troubles``: what is wrong with the pipeline now.
    """

    pipeline: Pipeline
    blob: str
    now: datetime
    events: Sequence[JudgedEvent] = ()
    outside_events: Sequence[JudgedEvent] = ()
    rejected_events: Sequence[RejectedEvent] = ()
    entry: BlobEntry | None = None
    trouble: str = ""
    listed_in: ListedIn | None = None
    searched_runs: AbstractSet[str] = frozenset()
    runs: Mapping[str, RunRecord] = field(default_factory=dict)
    window: WindowState | None = None
    quarantines: Sequence[Quarantine] = ()
    serving: ServingModel | None = None
    serving_has_it: bool = False
    troubles: Sequence[Trouble] = ()

    @property
    def event(self) -> JudgedEvent | None:
        """The newest event that counts: a duplicate only when there is no other."""
        first = (entry for entry in self.events if entry.verdict is not Verdict.DUPLICATE)
        return next(first, self.events[0] if self.events else None)

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
