"""What each target should run, and what it ran when it was looked at. Table ``targets``, partition ``target``.

One row per target and pipeline, under a digest of both, because their names come from settings and files. The columns
``desired``, ``seen`` and ``drift`` are written apart, so that an observation never overwrites a wish.
"""

from collections.abc import Callable
from datetime import datetime

from shared.clients.ledger.keys import digest, stamp
from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.errors import TransientError
from shared.messages import Serving, ServingPlan, TargetState
from shared.values.wire import from_text, to_text

_PARTITION = "target"


class TargetLedger:
    """Stores desired plans and observations of targets; safe to share between threads."""

    def __init__(self, targets: Table) -> None:
        self._targets = targets

    def of(self, target: str, pipeline: str) -> TargetState:
        """What is known of a target and a pipeline; empty when nothing was ever wanted or seen there."""
        row = self._targets.get(_PARTITION, digest(target, pipeline))
        return _state(row) if row else TargetState(target=target, pipeline=pipeline)

    def all(self) -> list[TargetState]:
        """Everything that is known, in order of targets and pipelines."""
        return sorted(map(_state, self._targets.rows(_PARTITION)), key=lambda state: (state.target, state.pipeline))

    def desire(
        self,
        plan: ServingPlan,
        *,
        by: str,
        at: datetime,
        before: ServingPlan | None = None,
        unless: Callable[[TargetState], None] = lambda _: None,
    ) -> None:
        """Record that the target should run the plan.

        ``before``: what ``by`` found there; left out, it is what was wanted there before ``by`` wanted anything.
        ``unless`` gets what is recorded now, and raises when the plan must not replace it. It is called again when
        somebody else wrote meanwhile, so no wish is replaced that it has not seen.
        """
        wanted = {"desired": to_text(plan), "by": by, "desired_at": stamp(at)}
        key = digest(plan.target, plan.pipeline)
        for _ in range(MOST_RACES):
            row = self._targets.get(_PARTITION, key)
            values = row.values if row else {}
            unless(_state(row) if row else TargetState(target=plan.target, pipeline=plan.pipeline))
            if wanted.items() <= values.items():
                return  # by an earlier try of this call, whose answer was lost
            if values.get("by") != by:
                wanted["before"] = to_text(before) if before else values.get("desired", "")
            if row is None:
                if self._targets.insert(
                    Row(_PARTITION, key, {"target": plan.target, "pipeline": plan.pipeline} | wanted)
                ):
                    return
            elif self._targets.update(Row(row.partition, row.key, wanted, row.etag)):
                return
        raise TransientError(f"too many writers raced for the plan of target {plan.target}; try again")

    def saw(self, serving: Serving, *, at: datetime) -> None:
        """Record what the target ran."""
        self._put(serving.target, serving.pipeline, seen=to_text(serving), seen_at=stamp(at))

    def note_drift(self, target: str, pipeline: str, drift: str) -> None:
        """Record in which way the target differs from what is desired; an empty text when it does not."""
        self._put(target, pipeline, drift=drift)

    def note_told(self, target: str, pipeline: str, *, told: bool) -> None:
        """Record that a drift was announced, or its end."""
        self._put(target, pipeline, told="yes" if told else "")

    def forget(self, target: str, pipeline: str) -> None:
        """Remove all that is known of a target and a pipeline."""
        self._targets.delete(Row(_PARTITION, digest(target, pipeline), {}))

    def _put(self, target: str, pipeline: str, **values: str) -> None:
        self._targets.put(Row(_PARTITION, digest(target, pipeline), {"target": target, "pipeline": pipeline} | values))


def _state(row: Row) -> TargetState:
    values = row.values
    return TargetState(
        target=values["target"],
        pipeline=values["pipeline"],
        desired=from_text(ServingPlan, values["desired"]) if values.get("desired") else None,
        desired_by=values.get("by", ""),
        before=from_text(ServingPlan, values["before"]) if values.get("before") else None,
        desired_at=_moment(values.get("desired_at")),
        seen=from_text(Serving, values["seen"]) if values.get("seen") else None,
        seen_at=_moment(values.get("seen_at")),
        drift=values.get("drift", ""),
        told=values.get("told") == "yes",
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
