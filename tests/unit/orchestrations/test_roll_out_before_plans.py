from typing import Any

from orchestrations.progress import gave_up
from orchestrations.roll_out import roll_out
from shared.errors import Code
from shared.messages import Candidate, Done, FailureKind, Release, Rollout, TargetResult
from shared.values.wire import from_wire
from tests.support.workflow import Played, play, refusal, value

ROLLOUT = Rollout(run_id="r-1", pipeline="breast-cancer", target="hub-vm", image="registry/m@sha256:1")
CANDIDATE = Candidate(name="edgetrain-breast-cancer-green", colour="green", port=8402)


def story(**changes: Any) -> tuple[Played, TargetResult]:
    answers: dict[str, Any] = {
        "start_candidate": value(CANDIDATE),
        "verify_candidate": value(Done()),
        "switch_traffic": value(Release(endpoint="http://vm:8400")),
        "remove_candidate": value(Done()),
    }
    run = play(roll_out, ROLLOUT, answers=answers | changes)
    return run, from_wire(TargetResult, run.output)


def test_traffic_moves_only_after_verification() -> None:
    run, result = story()

    assert result == TargetResult(target="hub-vm", deployed=True, endpoint="http://vm:8400")
    assert run.asked == ["start_candidate", "verify_candidate", "switch_traffic"]


def test_an_image_that_is_live_already_is_not_verified_again() -> None:
    live = Candidate(name=CANDIDATE.name, colour="green", port=8402, already_live=True)
    run, result = story(start_candidate=value(live))

    assert result.deployed
    assert run.asked == ["start_candidate", "switch_traffic"]


def test_an_unhealthy_candidate_is_removed_and_traffic_never_moves() -> None:
    run, result = story(verify_candidate=refusal(Code.CANDIDATE_FAILED, "it exited with 3"))

    assert (result.deployed, result.reason) == (False, "it exited with 3")
    assert run.asked == ["start_candidate", "verify_candidate", "remove_candidate"]


def test_a_candidate_that_cannot_be_removed_is_named() -> None:
    _, result = story(verify_candidate=Exception("no route\nstack"), remove_candidate=Exception("no route"))

    assert result.reason.startswith(f"{gave_up(Exception('no route'))}; candidate {CANDIDATE.name} ")


def test_nothing_to_remove_when_no_candidate_started() -> None:
    run, result = story(start_candidate=Exception("SSH refused"))

    assert (result.deployed, result.reason) == (False, gave_up(Exception("SSH refused")))
    assert run.asked == ["start_candidate"]


def test_a_switch_without_an_answer_says_that_it_may_have_happened() -> None:
    run, result = story(switch_traffic=Exception("SSH timed out\nstack"))

    assert result.reason.startswith("SSH timed out; ")
    assert run.asked[-1] == "remove_candidate", "which leaves alone what is live"
    assert result.failure_kind is FailureKind.OUTSIDE, "so that it is rolled out again, which tells what serves"
