"""Passports: what is signed is what is shown, as JSON and as a page; whatever was changed is named."""

import copy
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.app import app
from shared.messages import Comparison, Outcome, ReceiptSummary, RunRecord, TargetResult, first_record
from shared.signing.bundles import sign
from shared.signing.keys import TrustedKeys, public_pem
from shared.signing.passport_page import _FIRST, _NEWEST, POLICY, _Layout, _page, is_page_of, passport_page
from shared.signing.passports import ImageFacts, document_in, passport_file, passport_of, passport_statement, verify
from shared.signing.statements import IMAGE, Statement, Subject
from tests.support.builders import a_run_request
from tests.support.signing import a_key, trusting
from tests.support.workflow import START

DIGEST = "sha256:" + "ab" * 32
REFERENCE = f"registry.example/models/breast-cancer@{DIGEST}"
FACTS = ImageFacts(
    reference=REFERENCE, base="scoring/x:key", base_digest="sha256:" + "cd" * 32, statements={"sbom": DIGEST}
)


def a_record() -> RunRecord:
    return replace(
        first_record(a_run_request(), reason="better: 0.1 < 0.2"),
        outcome=Outcome.PROMOTED,
        ended_at=START + timedelta(minutes=5),
        model="breast-cancer",
        version="7",
        image=REFERENCE,
        metrics={"log_loss": 0.1, "accuracy": 0.95},
        holdout="ef" * 32,
        comparison=Comparison(
            rows=10, difference=-0.1, low=-0.2, high=-0.05, level=0.95, resamples=100, method="bootstrap"
        ),
        receipt=ReceiptSummary(released_bytes=10, released=2, held_back=0, network_bytes=0),
        targets=(TargetResult(target="hub-vm", deployed=True, endpoint="http://10.0.0.4/<b>"),),
    )


DOCUMENT = passport_of(a_record(), a_run_request(), FACTS)
BUNDLE = sign(passport_statement(DOCUMENT), a_key())
FILE, PAGE = passport_file(DOCUMENT, BUNDLE), passport_page(DOCUMENT, BUNDLE)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the document has a value that is no container."""
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in paths(inner, (*at, key))]
    if isinstance(value, list):
        return [each for key, inner in enumerate(value) for each in paths(inner, (*at, key))]
    return [at]


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize("content", [FILE, PAGE], ids=["JSON", "HTML"])
def test_what_was_issued_fits(content: bytes) -> None:
    assert verify(content, trusting()) == []
    assert verify(content, trusting("another", "a key")) == []
    assert document_in(content) == DOCUMENT


@pytest.mark.parametrize("content", [FILE, PAGE], ids=["JSON", "HTML"])
def test_another_key_signed_nothing(content: bytes) -> None:
    for keys in (trusting("another"), TrustedKeys()):
        assert len(verify(content, keys)) == 1


@given(st.sampled_from(paths(DOCUMENT)))
def test_every_changed_value_is_named_by_its_place(path: tuple[Any, ...]) -> None:
    document = changed(path, "something else")
    named = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")

    for content in (passport_file(document, BUNDLE), passport_page(document, BUNDLE)):
        (finding,) = verify(content, trusting())
        assert finding.startswith(f"{named} is ")


def test_what_is_missing_or_added_is_named() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["metrics"].pop("accuracy")
    document["more"] = 1

    assert [finding.split()[0] for finding in verify(passport_file(document, BUNDLE), trusting())] == [
        "metrics.accuracy",
        "more",
    ]


def test_a_page_that_shows_something_else_is_found() -> None:
    forged = PAGE.replace(b">0.95</td>", b">0.99</td>")

    assert forged != PAGE
    assert verify(forged, trusting()) == ["the page shows something else than the document in it"]


@pytest.mark.parametrize(
    ("layout", "digest"),
    [(_FIRST, "6fb07f4cdc58ba85"), (_NEWEST, "fbab5c117ec5d5a0")],
    ids=["first", "newest"],
)
def test_a_layout_that_was_issued_stays_as_it_is(layout: _Layout, digest: str) -> None:
    """When this fails, pages that people have saved would be called forged: make another layout instead."""
    document = {
        "model": "m<",
        "version": "1",
        "pipeline": "p" * 41,
        "metrics": {"a": 0.5},
        "verdict": {"comparable": None},
    }
    page = _page(layout, document, b"{}")

    assert hashlib.sha256(page).hexdigest()[:16] == digest
    assert is_page_of(page, document, b"{}")


def test_a_page_of_an_older_layout_fits() -> None:
    assert verify(_page(_FIRST, DOCUMENT, BUNDLE), trusting()) == []


def test_a_page_says_its_policy_for_whoever_saves_it() -> None:
    inside = POLICY.removesuffix("; frame-ancestors 'none'")

    assert f'<meta http-equiv="Content-Security-Policy" content="{inside}">'.encode() in PAGE
    assert "unsafe" not in POLICY


def test_a_page_cannot_be_broken_out_of() -> None:
    assert b"<b>" not in PAGE
    assert PAGE.count(b"<script") == PAGE.count(b"</script>") == 1


def test_what_was_signed_must_be_a_passport_of_the_image_that_it_names() -> None:
    other = Statement(subjects=(Subject("models/x", "12" * 32),), predicate_type=IMAGE, predicate=DOCUMENT)
    moved = replace(passport_statement(DOCUMENT), subjects=(Subject("models/x", "12" * 32),))

    assert "no passport" in verify(passport_file(DOCUMENT, sign(other, a_key())), trusting())[0]
    assert "another image" in verify(passport_file(DOCUMENT, sign(moved, a_key())), trusting())[0]


@given(st.binary(max_size=300) | st.sampled_from([b"<html></html>", b"{}", b"[]", b'{"passport":{},"bundle":{}}']))
def test_any_other_file_is_a_finding_and_never_an_error(content: bytes) -> None:
    assert len(verify(content, trusting())) == 1


def test_the_same_record_has_the_same_passport() -> None:
    assert passport_of(a_record(), a_run_request(), FACTS) == DOCUMENT
    assert passport_of(a_record(), None, FACTS)["data"]["snapshot_digest"] == DOCUMENT["data"]["snapshot_digest"]
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_the_command_verifies_without_a_network_and_names_what_does_not_fit(tmp_path: Path) -> None:
    key, good, bad = tmp_path / "key.pub", tmp_path / "good.html", tmp_path / "bad.json"
    key.write_text(public_pem(a_key().public_key))
    good.write_bytes(PAGE)
    bad.write_bytes(passport_file(changed(("metrics", "accuracy"), 0.99), BUNDLE))

    def run(*arguments: str) -> tuple[int, Any]:
        done = CliRunner().invoke(app, ["passport", "verify", *arguments, "--json"])
        return done.exit_code, json.loads(done.stdout)

    status, said = run(str(good), "--key", str(key))
    assert (status, said["fits"]) == (0, True)
    status, said = run(str(bad), "--key", str(key))
    assert (status, said["fits"], said["findings"][0].split()[0]) == (1, False, "metrics.accuracy")
    assert run(str(tmp_path / "none"), "--key", str(key))[0] == 2
    assert run(str(good), "--key", str(good))[0] == 2
