"""Requests to the app besides training: a repeated request, an invalid one, and ``why``."""

from typing import Any, Final

from local_stack.app_client import land
from local_stack.demo.burst import Burst
from local_stack.demo.cast import PIPELINE, Cast
from local_stack.demo.expectations import expect
from local_stack.demo.runs import Run, known_runs

OUTSIDE_BLOB: Final = "raw/part-001.csv"
GARBAGE: Final = b"please train everything, thanks"


def ask_for_the_same_by_message(cast: Cast, run: Run) -> dict[str, Any]:
    """A message asks for what a run has trained, and is answered with that run."""
    known = known_runs(cast)
    with cast.screen.step("an upstream system asks for the same data by Service Bus") as step:
        request = {"schema": 1, "pipeline": PIPELINE, "reason": "assay 17 is complete", "correlation_id": "assay-17"}
        cast.upstream.ask(request)
        answer = cast.upstream.wait_for_answer("assay-17")
        named = (answer["kind"], answer["run_id"])
        expect(named == ("already_trained", run["run_id"]), f"the answer is {answer['kind']}: {answer['reason']}")
        expect(known_runs(cast) == known, "the message started a run")
        step.note = f"{answer['kind']}: {answer['reason']}"
    return {"kind": answer["kind"], "run_id": answer["run_id"], "reason": answer["reason"]}


def send_garbage(cast: Cast) -> dict[str, Any]:
    """A message that nobody understands is answered as rejected, and a copy lies in quarantine with the reason."""
    with cast.screen.step(
        "a message that makes no sense is answered with the reason, and copied to quarantine"
    ) as step:
        message_id = cast.upstream.ask(GARBAGE)
        answer = cast.upstream.wait_for_answer(message_id)
        expect(answer["kind"] == "rejected", f"the answer is {answer['kind']}: {answer['reason']}")
        copy = cast.upstream.wait_for_quarantined(message_id)
        expect(copy["body"] == GARBAGE, "the copy in quarantine differs from the message")
        expect(answer["reason"] in copy["properties"].values(), "the copy in quarantine does not say why")
        step.note = f"{answer['kind']}: {answer['reason']}"
    return {"kind": answer["kind"], "reason": answer["reason"]}


def ask_why(cast: Cast, burst: Burst) -> dict[str, dict[str, Any]]:
    """Why three files were trained or not: one whose event came, one whose event was lost, one that is outside."""
    run_id = burst.run["run_id"]
    reported = next(each["blob"] for each in burst.arrivals if each["verdict"] == "trained")
    questions = {
        "whose event came twice": (reported, "trained", run_id),
        "whose event was lost": (burst.lost[0], "trained", run_id),
        "in another folder": (OUTSIDE_BLOB, "outside", None),
    }
    cast.agent.publish_written([land(cast.endpoints, PIPELINE, OUTSIDE_BLOB, b"a\n1\n")])
    cast.agent.wait_until_delivered()
    answers = {}
    with cast.screen.step("why? three files and what became of them") as step:
        for which, (blob, verdict, run) in questions.items():
            answer = cast.app.why(PIPELINE, blob)
            cast.screen.say(f"      the file {which}: {answer['verdict']}. {answer['sentence']}")
            found = (answer["verdict"], (answer["run"] or {}).get("run_id"))
            expect(found == (verdict, run), f"why says {found} of {blob}, not {(verdict, run)}")
            answers[blob] = {"verdict": answer["verdict"], "sentence": answer["sentence"]}
        step.note = ", ".join(f"{blob} {answer['verdict']}" for blob, answer in answers.items())
    return answers
