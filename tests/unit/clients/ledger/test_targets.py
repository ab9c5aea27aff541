from datetime import timedelta

import pytest

from shared.clients.ledger import Ledger
from shared.messages import Approval, KnownImage, PlannedRelease, Serving, ServingPlan, TargetState
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

LATER = START + timedelta(minutes=5)
PLAN = ServingPlan(
    target="hub-vm", pipeline="churn", releases=(PlannedRelease(run_id="churn-1", image="r/m@sha256:1", weight=100),)
)
EMPTY = ServingPlan(target="hub-vm", pipeline="churn")
SEEN = Serving(target="hub-vm", pipeline="churn", revision="7")
APPROVED = Approval(run_id="churn-1", target="hub-vm", approved=True, by="ada", reason="looks good", at=START)


def test_wishes_observations_and_drift_stand_side_by_side(ledger: Ledger) -> None:
    assert ledger.targets.of("hub-vm", "churn") == TargetState(target="hub-vm", pipeline="churn")

    ledger.targets.saw(SEEN, at=START)
    ledger.targets.desire(PLAN, by="churn-1", at=LATER)
    ledger.targets.note_drift("hub-vm", "churn", "it is gone")

    whole = TargetState(
        target="hub-vm",
        pipeline="churn",
        desired=PLAN,
        desired_by="churn-1",
        desired_at=LATER,
        seen=SEEN,
        seen_at=START,
        drift="it is gone",
    )
    assert ledger.targets.of("hub-vm", "churn") == whole
    ledger.targets.note_drift("hub-vm", "churn", "")
    ledger.targets.saw(Serving(target="cloud", pipeline="churn"), at=START)
    assert [(state.target, state.drift) for state in ledger.targets.all()] == [("cloud", ""), ("hub-vm", "")]

    ledger.targets.forget("cloud", "churn")
    assert [state.target for state in ledger.targets.all()] == ["hub-vm"]


def test_a_wish_that_must_not_replace_another_changes_nothing(ledger: Ledger) -> None:
    ledger.targets.desire(PLAN, by="churn-1", at=START)

    def refuse(state: TargetState) -> None:
        raise ValueError(state.desired_by)

    with pytest.raises(ValueError, match="churn-1"):
        ledger.targets.desire(EMPTY, by="churn-2", at=LATER, unless=refuse)
    assert ledger.targets.of("hub-vm", "churn").desired == PLAN


def test_a_wish_is_checked_against_what_another_writer_wished_meanwhile(ledger: Ledger) -> None:
    ledger.targets.desire(PLAN, by="churn-1", at=START)
    looked = []

    def races(state: TargetState) -> None:
        looked.append(state.desired_by)
        if len(looked) == 1:
            ledger.targets.desire(EMPTY, by="ada", at=START)

    ledger.targets.desire(PLAN, by="churn-2", at=LATER, unless=races)
    assert looked == ["churn-1", "ada"]
    assert ledger.targets.of("hub-vm", "churn").desired_by == "churn-2"


def test_what_undoing_goes_back_to_is_what_was_wanted_before(ledger: Ledger) -> None:
    ledger.targets.desire(PLAN, by="churn-1", at=START)
    assert ledger.targets.of("hub-vm", "churn").before is None

    for wish in (EMPTY, PLAN, EMPTY):
        ledger.targets.desire(wish, by="churn-2", at=LATER)
        assert ledger.targets.of("hub-vm", "churn").before == PLAN

    ledger.targets.desire(PLAN, by="ada", at=LATER, before=PLAN)
    assert ledger.targets.of("hub-vm", "churn").before == PLAN, "found there, although another one was wanted"


def test_a_wish_whose_answer_got_lost_holds(ledger: Ledger, tables: MemoryTables) -> None:
    tables.table("targets").answers_get_lost = True

    ledger.targets.desire(PLAN, by="churn-1", at=START)
    ledger.targets.desire(EMPTY, by="churn-1", at=LATER)

    assert ledger.targets.of("hub-vm", "churn").desired == EMPTY


def test_the_first_decision_stays(ledger: Ledger) -> None:
    assert ledger.approvals.of("churn-1", "hub-vm").approved is None

    assert ledger.approvals.decide(APPROVED) == APPROVED
    rejected = Approval(run_id="churn-1", target="hub-vm", approved=False, by="bob", at=LATER)
    assert ledger.approvals.decide(rejected) == APPROVED == ledger.approvals.of("churn-1", "hub-vm")
    assert ledger.approvals.of("churn-1", "cloud").approved is None

    ledger.approvals.forget("churn-1", "hub-vm")
    assert ledger.approvals.of("churn-1", "hub-vm").approved is None


def test_an_undecided_approval_is_no_decision(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="approves or rejects"):
        ledger.approvals.decide(Approval(run_id="churn-1", target="hub-vm"))


def test_images_of_runs_are_kept_and_listed(ledger: Ledger) -> None:
    image = KnownImage(run_id="churn-1", pipeline="churn", reference="r/m@sha256:1", parents=("sha256:0",), at=START)
    assert ledger.built_images.of("churn-1") is None

    ledger.built_images.keep(image)
    ledger.built_images.keep(image)

    assert ledger.built_images.of("churn-1") == image
    assert list(ledger.built_images.all()) == [image]
    ledger.built_images.forget("churn-1")
    assert list(ledger.built_images.all()) == []
