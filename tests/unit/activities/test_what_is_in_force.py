"""Trained before is not in force now: refusals, previews and answers name what serves and what it was trained on."""

from dataclasses import replace

import pytest

from shared.errors import Code, PermanentError
from shared.messages import AnswerRequest, Outcome, ReplyTo, RunRequest, Verdict
from shared.wire_contracts.training_answers import AnswerKind, answer_to
from tests.support.builders import a_snapshot
from tests.unit.activities.admission_world import NAME, World, request

FIRST = a_snapshot(digest="01" * 32, content="c1", listing="listing-1", blobs=2)
MORE = a_snapshot(digest="02" * 32, content="c2", listing="listing-2", blobs=3)


@pytest.fixture
def withdrawn() -> tuple[World, RunRequest, RunRequest]:
    """A first drop is promoted, a second one too, and then the second one is withdrawn: the first lies there again."""
    world = World(snapshot=FIRST)
    first = world.start("window-1")
    world.end(first, Outcome.PROMOTED)
    world.snapshot = MORE
    second = world.start("window-2")
    world.end(second, Outcome.PROMOTED)
    world.snapshot = replace(FIRST, digest="03" * 32)  # the same content, listed anew
    return world, first, second


def test_after_the_newest_data_are_withdrawn_the_refusal_says_that_their_model_serves(
    withdrawn: tuple[World, RunRequest, RunRequest],
) -> None:
    world, first, second = withdrawn

    refused = world.admit("window-3")

    assert (refused.start, refused.verdict, refused.run_id) == (False, Verdict.UNCHANGED, first.run_id)
    assert f"run {first.run_id} already trained exactly this data, code and parameters (promoted)" in refused.reason
    assert f"the model of run {second.run_id} serves now" in refused.reason
    assert f"(3 files, snapshot {'02' * 6})" in refused.reason
    assert "other files" in refused.reason
    assert "with force" in refused.reason


def test_a_preview_and_the_answer_to_a_message_say_the_same(withdrawn: tuple[World, RunRequest, RunRequest]) -> None:
    world, _, second = withdrawn

    preview, refused = world.preview(), world.admit("window-3")
    asked = AnswerRequest(request=request("message-1"), admission=refused)
    answer = answer_to(asked, ReplyTo(message_id="1"), None)

    assert preview.reason == refused.reason == answer.reason
    assert answer.kind is AnswerKind.ALREADY_TRAINED
    assert second.run_id in answer.reason


def test_when_its_own_model_serves_it_says_so_and_nothing_is_to_be_done() -> None:
    world = World(snapshot=FIRST)
    run = world.start("window-1")
    world.end(run, Outcome.PROMOTED)

    reason = world.admit("window-2").reason

    assert f"the model of run {run.run_id} serves now" in reason
    assert "other files" not in reason
    assert "force" not in reason


def test_when_everything_is_withdrawn_what_serves_is_named_all_the_same(
    withdrawn: tuple[World, RunRequest, RunRequest],
) -> None:
    world, _, second = withdrawn
    world.trouble = PermanentError("site factory has no blob x with content yet", code=Code.NO_DATA)

    refused = world.admit("window-3")

    assert refused.verdict is Verdict.REJECTED
    assert refused.reason.startswith("site factory has no blob x with content yet; ")
    assert second.run_id in refused.reason
    assert world.preview().reason == refused.reason


def test_where_nothing_ever_served_want_of_data_is_all_there_is_to_say() -> None:
    world = World(trouble=PermanentError("site factory has no hold-out", code=Code.NO_DATA))

    assert world.admit("window-1").reason == "site factory has no hold-out"


def test_a_challenger_that_lost_before_does_not_pass_for_the_one_that_serves(
    withdrawn: tuple[World, RunRequest, RunRequest],
) -> None:
    world, _, second = withdrawn
    world.snapshot = a_snapshot(digest="04" * 32, content="c4", listing="listing-4")
    lost = world.start("window-4")
    world.end(lost, Outcome.NOT_PROMOTED)

    reason = world.admit("window-5").reason

    assert "(not promoted)" in reason
    assert f"the model of run {second.run_id} serves now" in reason
    assert "force" not in reason


def test_a_champion_from_before_snapshots_had_a_content_is_named_without_a_claim_about_its_data() -> None:
    world = World(snapshot=a_snapshot(content="", listing="of then"))
    run = world.start("window-1")
    world.end(run, Outcome.PROMOTED)
    world.snapshot = a_snapshot(content="c", listing="of now")

    again = world.start("window-2")
    world.end(again, Outcome.NOT_PROMOTED)
    reason = world.admit("window-3").reason

    assert f"the model of run {run.run_id} serves now" in reason
    assert reason.endswith(f"3 files, snapshot {'cd' * 6}")
    assert world.ledger.champions.champion(NAME).run_id == run.run_id
