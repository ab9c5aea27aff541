import json
from dataclasses import replace
from datetime import UTC, datetime

from site_agent.job.guard.receipt import Check, HeldBack, Receipt, Released, Traffic

RECEIPT = Receipt(
    run_id="run-1",
    pipeline="p",
    job_version="1.0.0",
    policy_sha256="ab",
    image="registry.example/scoring/p@sha256:0",
    released=[
        Released(name="model/m.skops", kind="skops", bytes=41_000, sha256="cd", rule="r"),
        Released(name="metrics.json", kind="json", bytes=212, sha256="ef", rule="r"),
    ],
    checks=[Check(name="training_rows", result="passed", detail="all")],
    network=[Traffic(container="train", received=0, sent=0)],
    started_at=datetime(2026, 11, 28, tzinfo=UTC).isoformat(),
)


def test_the_document_has_every_field_and_the_sum_of_the_bytes() -> None:
    document = json.loads(RECEIPT.as_bytes())

    assert document == RECEIPT.as_json()
    assert document["released_bytes"] == 41_212
    assert document["schema"] == 1
    assert set(document) == {
        *("schema", "run_id", "pipeline", "job_version", "policy_sha256", "image", "released", "held_back"),
        *("checks", "network", "released_bytes", "started_at", "ended_at"),
    }


def test_the_sentence_says_how_much_left() -> None:
    assert "41,212 bytes" in RECEIPT.sentence
    assert "moved 0 bytes" in RECEIPT.sentence


def test_files_without_a_plain_name_are_counted_by_reason() -> None:
    held = [HeldBack(name="", kind="file", bytes=10, reason=f"reason {number % 2}") for number in range(5)]

    found = replace(RECEIPT, held_back=held).as_json()["held_back"]

    assert [(each["name"], each["bytes"], each["reason"]) for each in found] == [
        ("", 30, "reason 0 (3 not named)"),
        ("", 20, "reason 1 (2 not named)"),
    ]
