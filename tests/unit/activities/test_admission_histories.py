"""Any history of data, code, requests, outcomes and releases."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.messages import Outcome, RunRequest, Stage, Verdict
from tests.support.builders import a_snapshot
from tests.support.examples import examples
from tests.support.ledger_arrivals import open_runs
from tests.support.workflow import START
from tests.unit.activities.admission_world import NAME, World


class Histories(RuleBasedStateMachine):
    """Data and code change, requests come, runs end somehow, quarantines are released."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.number = 0
        self.failed_since_release: dict[str, int] = {}
        self.judged: set[str] = set()
        self.running: dict[str, RunRequest] = {}

    @rule(digest=st.sampled_from(["aa", "bb"]))
    def data_changes(self, digest: str) -> None:
        self.world.snapshot = a_snapshot(digest=digest * 32, listing=f"listing-{digest}")

    @rule(force=st.booleans())
    def request(self, force: bool) -> None:
        self.number += 1
        preview = self.world.preview(force=force)
        admission = self.world.admit(f"window-{self.number}", force=force)
        assert (preview.would_start, preview.verdict) == (admission.start, admission.verdict)
        assert preview.run_id == admission.run_id
        identity = preview.fingerprint or ""
        assert admission.verdict is self._expected(identity, force)
        assert admission.start == (admission.verdict is Verdict.TRAINED and identity not in self.running)
        assert self.world.decided() == self.world.snapshot.listing
        if admission.run is not None:
            self.running[identity] = admission.run

    def _expected(self, identity: str, force: bool) -> Verdict:
        if identity in self.running:
            return Verdict.TRAINED
        if identity in self.judged and not force:
            return Verdict.UNCHANGED
        return Verdict.QUARANTINED if self.failed_since_release.get(identity, 0) >= 3 else Verdict.TRAINED

    @precondition(lambda self: self.running)
    @rule(
        which=st.randoms(use_true_random=False),
        outcome=st.sampled_from([*Outcome, Outcome.FAILED, Outcome.FAILED]),
        stage=st.sampled_from([Stage.TRAINING, Stage.TRAINING, Stage.DELIVERING]),
        twice=st.booleans(),
    )
    def end(self, which: Any, outcome: Outcome, stage: Stage, twice: bool) -> None:
        identity = which.choice(sorted(self.running))
        run = self.running.pop(identity)
        for _ in range(1 + twice):
            self.world.end(run, outcome, stage=stage, reason="it broke")
        if outcome in {Outcome.PROMOTED, Outcome.NOT_PROMOTED}:
            self.judged.add(identity)
        if outcome is Outcome.FAILED and stage is Stage.TRAINING:
            self.failed_since_release[identity] = self.failed_since_release.get(identity, 0) + 1

    @rule()
    def release(self) -> None:
        for kept in self.world.ledger.quarantines.of(NAME):
            if self.world.ledger.quarantines.lift(NAME, kept.fingerprint, START, by="ada") is not None:
                self.failed_since_release[kept.fingerprint] = 0

    @invariant()
    def the_ledger_knows_what_is_quarantined(self) -> None:
        active = {kept.fingerprint for kept in self.world.ledger.quarantines.of(NAME) if kept.active}
        assert active == {identity for identity, failed in self.failed_since_release.items() if failed >= 3}

    @invariant()
    def what_is_under_way_is_known_and_once(self) -> None:
        opened = open_runs(self.world.ledger.runs, NAME)
        assert sorted(run.run_id for run in opened) == sorted(run.run_id for run in self.running.values())


TestHistories = Histories.TestCase
TestHistories.settings = examples(25, stateful_step_count=25, deadline=None)
