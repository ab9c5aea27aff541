from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from activities.admit_run import admit_run
from shared.decisions.planning import plan_of
from shared.errors import Code, PermanentError
from shared.messages import (
    Admission,
    AdmissionRequest,
    Cause,
    Outcome,
    RunRecord,
    RunRequest,
    Snapshot,
    Verdict,
)
from shared.pipelines import Pipeline
from tests.support.arrivals import a_pipeline, a_run_record
from tests.support.builders import a_snapshot
from tests.support.workflow import START

PIPELINE = a_pipeline(parameters={"depth": 3, "rate": 0.5})


@dataclass
class World:
    """Everything that ``admit_run`` touches, in memory, with the ledger's rules."""

    snapshot: Snapshot = field(default_factory=a_snapshot)
    trouble: PermanentError | None = None
    sources: dict[str, bytes] = field(default_factory=lambda: {"train.py": b"pass"})
    pins: tuple[str, ...] = ("numpy==2.0",)
    claims: dict[str, RunRequest] = field(default_factory=dict)
    records: dict[str, RunRecord] = field(default_factory=dict)
    rival: str = ""
    listings: int = 0

    def get(self, name: str) -> Pipeline:
        if name != PIPELINE.name:
            raise PermanentError(f"there is no pipeline {name!r}", code=Code.UNKNOWN_PIPELINE)
        return PIPELINE

    def take_snapshot(self, pipeline: Pipeline) -> Snapshot:
        self.listings += 1
        if self.trouble is not None:
            raise self.trouble
        return self.snapshot

    def files(self, folder: str) -> dict[str, bytes]:
        return self.sources

    def locks(self, folder: str) -> tuple[str, ...]:
        return self.pins

    def claimed_by(self, pipeline: str, requested_by: str) -> RunRequest | None:
        return next((run for run in self.claims.values() if run.requested_by == requested_by), None)

    def run(self, run_id: str) -> RunRecord | None:
        return self.records.get(run_id)

    def runs_of(self, pipeline: str, fingerprint: str) -> list[RunRecord]:
        return [run for run in self.records.values() if run.fingerprint == fingerprint]

    def claim_run(self, request: RunRequest) -> RunRequest:
        if self.rival:  # somebody else claims it just before we do
            self.claims[request.run_id] = replace(request, requested_by=self.rival)
        return self.claims.setdefault(request.run_id, request)

    def end(self, run: RunRequest, outcome: Outcome | None) -> None:
        self.records[run.run_id] = a_run_record(
            run_id=run.run_id, fingerprint=run.fingerprint, attempt=run.attempt, outcome=outcome
        )

    def admit(self, requested_by: str = "window-1", **changes: Any) -> Admission:
        request = AdmissionRequest(
            pipeline="breast-cancer", cause=Cause.NEW_DATA, requested_by=requested_by, requested_at=START
        )
        return admit_run(replace(request, **changes), pipelines=self, snapshots=self, code=self, runs=self)


def _started(admission: Admission) -> RunRequest:
    assert admission.start
    assert admission.run is not None
    assert admission.run_id == admission.run.run_id
    return admission.run


def test_new_data_is_granted_a_run_that_carries_everything_it_needs() -> None:
    world = World()
    admission = world.admit(window_id="window-1")
    run = _started(admission)

    assert run.run_id == f"breast-cancer-{run.fingerprint[:12]}-1"
    assert (run.snapshot, run.plan, run.parameters) == (
        world.snapshot,
        plan_of(PIPELINE),
        {"depth": 3, "rate": 0.5},
    )
    assert (run.cause, run.requested_by, run.window_id) == (Cause.NEW_DATA, "window-1", "window-1")
    assert (admission.verdict, admission.reason) == (Verdict.TRAINED, f"3 files are trained in run {run.run_id}")


def test_a_repeat_gets_the_same_grant_though_new_data_landed_in_between() -> None:
    world = World()
    first = world.admit()
    world.snapshot = a_snapshot(digest="ef" * 32)

    assert world.admit() == first
    assert len(world.claims) == 1


def test_a_repeat_after_the_run_has_ended_starts_nothing() -> None:
    world = World()
    run = _started(world.admit())
    world.end(run, Outcome.PROMOTED)

    again = world.admit()

    assert (again.start, again.run_id) == (False, run.run_id)
    assert again.reason == f"run {run.run_id} was trained for this very request (promoted)"


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.NOT_PROMOTED])
def test_the_same_data_again_is_unchanged(outcome: Outcome) -> None:
    world = World()
    run = _started(world.admit())
    world.end(run, outcome)

    other = world.admit("window-2")

    assert (other.start, other.run_id, other.verdict) == (False, run.run_id, Verdict.UNCHANGED)
    assert other.reason.startswith(f"nothing changed: run {run.run_id} already trained exactly this data")


def test_the_same_data_while_it_is_trained_names_that_run() -> None:
    world = World()
    run = _started(world.admit())
    world.end(run, None)

    other = world.admit("window-2")

    assert (other.start, other.run_id, other.verdict) == (False, run.run_id, Verdict.TRAINED)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED, Outcome.ROLLED_BACK])
def test_what_failed_may_be_tried_again_as_another_attempt(outcome: Outcome) -> None:
    world = World()
    first = _started(world.admit())
    world.end(first, outcome)

    admission = world.admit("window-2")
    second = _started(admission)

    assert (second.attempt, second.fingerprint) == (2, first.fingerprint)
    assert admission.reason.endswith(f"{second.run_id}, attempt 2")


def test_whoever_loses_the_race_for_the_claim_starts_nothing() -> None:
    admission = World(rival="window-0").admit()

    assert (admission.start, admission.run, admission.verdict) == (False, None, Verdict.TRAINED)
    assert admission.run_id is not None
    assert "is training exactly this data" in admission.reason


@pytest.mark.parametrize(
    "change",
    [
        {"snapshot": a_snapshot(digest="ef" * 32)},
        {"sources": {"train.py": b"other"}},
        {"pins": ("numpy==2.1",)},
    ],
)
def test_a_change_of_data_code_or_libraries_is_another_fingerprint(change: dict[str, Any]) -> None:
    world = World()
    first = _started(world.admit())
    world.end(first, Outcome.PROMOTED)
    for name, value in change.items():
        setattr(world, name, value)

    assert _started(world.admit("window-2")).fingerprint != first.fingerprint


def test_an_override_is_part_of_the_fingerprint_and_of_the_run() -> None:
    world = World()
    first = _started(world.admit())
    second = _started(world.admit("person", parameters={"depth": 4}))

    assert second.parameters == {"depth": 4, "rate": 0.5}
    assert second.fingerprint != first.fingerprint


def test_a_bad_override_is_refused_before_anything_is_listed() -> None:
    world = World()
    with pytest.raises(PermanentError, match="there is no 'deep'"):
        world.admit(parameters={"deep": 4})
    assert world.listings == 0


def test_no_data_rejects_the_arrivals_with_the_reason() -> None:
    world = World(trouble=PermanentError("site factory has no hold-out c/h.csv; upload it", code=Code.NO_DATA))
    assert world.admit() == Admission(
        start=False,
        run_id=None,
        verdict=Verdict.REJECTED,
        reason="site factory has no hold-out c/h.csv; upload it",
    )


def test_other_trouble_is_the_activitys_own_reply() -> None:
    world = World(trouble=PermanentError("refused", code=Code.BAD_CONFIGURATION))
    with pytest.raises(PermanentError, match="refused"):
        world.admit()
    with pytest.raises(PermanentError, match="there is no pipeline"):
        world.admit(pipeline="nonsense")
