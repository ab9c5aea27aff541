"""The passport of a run: made from its record, signed, attached to its image, and given to who asks for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from activities.issue_passport import issue_passport
from function_app.api.handlers import Page
from function_app.api.passports import get_passport, prefers_html
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.clients.ledger import Ledger
from shared.messages import IssuePassport, Outcome, RunRecord, RunRequest, first_record
from shared.oci.references import ImageName
from shared.oci.referrers import Artifact, attach
from shared.oci.transfer import find_image, push_image
from shared.signing.attachments import PREDICATE
from shared.signing.bundles import MEDIA_TYPE
from shared.signing.image_signatures import about_image
from shared.signing.passports import passport_file, verify
from shared.signing.statements import IMAGE, MODEL, PROVENANCE, SBOM
from tests.support.builders import a_run_request
from tests.support.image_registry import InMemoryRegistry, a_base_image
from tests.support.memory_tables import memory_ledger
from tests.support.signing import image_signatures, trusting
from tests.support.workflow import START

REQUEST = a_run_request()
BOM = {"components": [{"name": "numpy"}]}


@dataclass
class Runs:
    """The record of one run."""

    record: RunRecord | None

    def run(self, run_id: str) -> RunRecord | None:
        return self.record

    def request(self, run_id: str) -> RunRequest | None:
        return REQUEST


class Bench:
    """A run whose model serves, with a signed image."""

    def __init__(self, folder: Path) -> None:
        self.registry, self.ledger = InMemoryRegistry(), memory_ledger()
        image, parts = a_base_image(folder)
        push_image(self.registry, image, ImageName("models/breast-cancer", REQUEST.run_id), parts)
        bom = about_image("models/breast-cancer", image.digest, SBOM, BOM)
        image_signatures(self.registry).sign("models/breast-cancer", image.descriptor, [bom])
        self.image = image
        reference = f"{self.registry.host}/models/breast-cancer@{image.digest}"
        record = replace(first_record(REQUEST), outcome=Outcome.PROMOTED, ended_at=START)
        self.runs = Runs(replace(record, model="breast-cancer", version="7", image=reference, metrics={"x": 0.5}))

    def issue(self) -> None:
        issue_passport(
            IssuePassport(run_id=REQUEST.run_id),
            runs=self.runs,
            registry=self.registry,
            signatures=image_signatures(self.registry),
            passports=self.ledger.passports,
        )

    def asked(self, version: str = "7", accept: str = "*/*", trusted: str = "a key") -> Any:
        services = SimpleNamespace(ledger=self.ledger, container_registry=self.registry, trusted_keys=trusting(trusted))
        return get_passport("breast-cancer", version, accept, cast(Services, services))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_is_answered_can_be_verified_as_json_and_as_a_page(bench: Bench) -> None:
    bench.issue()

    answer, page = bench.asked(), bench.asked(accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.passport["metrics"] == {"x": 0.5}
    assert answer.passport["image"]["digest"] == bench.image.digest
    assert set(answer.passport["image"]["statements"]) == {"signature", "sbom"}
    assert verify(passport_file(answer.passport, json.dumps(answer.bundle).encode()), trusting()) == []
    assert isinstance(page, Page)
    assert verify(page.html, trusting()) == []


def test_a_repeat_finds_the_passport_and_a_changed_record_gets_another(bench: Bench) -> None:
    bench.issue()
    before = dict(bench.registry.manifests)
    bench.issue()
    assert bench.registry.manifests == before

    assert bench.runs.record is not None
    bench.runs.record = replace(bench.runs.record, metrics={"x": 0.6})
    bench.issue()
    assert bench.asked().passport["metrics"] == {"x": 0.6}


def test_it_vouches_for_nothing_that_somebody_else_attached(bench: Bench) -> None:
    """Who may push can attach anything, also what we have signed about another image."""
    bench.issue()
    before = bench.asked().passport["image"]["statements"]
    repository = "models/breast-cancer"
    for kind in (IMAGE, SBOM, PROVENANCE, MODEL):
        unsigned = Artifact(media_type=MEDIA_TYPE, content=b"{}" + kind.encode(), annotations={PREDICATE: kind})
        attach(bench.registry, repository, bench.image.descriptor, [unsigned])
        replayed = about_image("models/other", bench.image.digest, kind, {})
        image_signatures(bench.registry).attach(repository, bench.image.descriptor, replayed)

    bench.issue()

    assert bench.asked().passport["image"]["statements"] == before
    assert image_signatures(bench.registry).is_signed(repository, bench.image.digest)
    assert image_signatures(bench.registry).sbom(repository, bench.image.digest) == BOM


@pytest.mark.parametrize(
    "change",
    [
        lambda record: None,
        lambda record: replace(record, outcome=Outcome.ROLLED_BACK),
        lambda record: replace(record, image=None),
        lambda record: replace(record, image=record.image[:-1] + ("0" if record.image[-1] != "0" else "1")),
    ],
    ids=["no record", "rolled back", "no image", "an image that is gone"],
)
def test_a_run_whose_model_does_not_serve_has_none(
    bench: Bench, change: Callable[[RunRecord | None], RunRecord | None]
) -> None:
    bench.runs.record = change(bench.runs.record)

    bench.issue()

    assert bench.ledger.passports.of("breast-cancer", "7") is None
    with pytest.raises(RefusedError) as caught:
        bench.asked()
    assert (caught.value.status, caught.value.code) == (404, "unknown_passport")


def test_a_passport_that_no_trusted_key_signed_is_not_given_out(bench: Bench) -> None:
    bench.issue()

    with pytest.raises(RefusedError) as caught:
        bench.asked(trusted="another")
    assert caught.value.status == 404
    found = find_image(bench.registry, ImageName("models/breast-cancer", bench.image.digest))
    assert found is not None


def test_versions_are_told_apart(bench: Bench) -> None:
    bench.issue()

    with pytest.raises(RefusedError):
        bench.asked(version="8")
    assert isinstance(bench.ledger, Ledger)


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("application/json, application/problem+json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html;q=0.2, application/json", False),
        ("application/json;q=0.1, text/*", True),
        ("text/html;q=nonsense", False),
        (",;,", False),
    ],
)
def test_a_page_only_for_who_prefers_one(accept: str, page: bool) -> None:
    assert prefers_html(accept) is page
