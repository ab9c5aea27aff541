"""The passport of a deployed version: one signed document that says where it comes from and where it went.

Made from the run's record when the run ends, and attached to its image. A passport's *file* holds the document as
people and programs read it, and the bundle whose signed statement has the same document as its predicate; as a page,
both lie in the HTML, which must be the one that is made from the document.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.messages import RunRecord, RunRequest
from shared.oci.images import timestamp
from shared.oci.references import is_digest
from shared.signing.bundles import open_bundle
from shared.signing.dsse import EnvelopeError, UntrustedError
from shared.signing.keys import TrustedKeys
from shared.signing.statements import PASSPORT, Statement, Subject, canonical
from shared.values.wire import to_wire

MOST_FINDINGS: Final = 20
_EMBEDDED: Final = re.compile(rb'<script type="application/json" id="passport">(.*?)</script>', re.DOTALL)
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a passport says of the image: ``reference`` by digest, the dependency image below, what is attached.

    ``statements``: kind -> digest of the manifest by which the signed statement is attached.
    """

    reference: str
    base: str
    base_digest: str
    statements: Mapping[str, str]


def passport_of(record: RunRecord, request: RunRequest | None, image: ImageFacts) -> dict[str, Any]:
    """The document. The same record always has the same."""
    said = to_wire(record)
    snapshot = request.snapshot if request is not None else None
    return {
        "kind": PASSPORT,
        "pipeline": record.pipeline,
        "model": record.model,
        "version": record.version,
        "run": {
            "run_id": record.run_id,
            "attempt": record.attempt,
            "cause": said["cause"],
            "fingerprint": record.fingerprint,
            "requested_at": said["requested_at"],
            "ended_at": said["ended_at"],
            "parameters": dict(request.parameters) if request is not None else {},
        },
        "data": {
            "snapshot_digest": record.snapshot_digest,
            "manifest": snapshot.manifest if snapshot is not None else "",
            "files": record.blobs,
            "holdout_digest": record.holdout,
            "left_out": said["left_out"],
        },
        "code": {
            "digest": request.plan.job.tree if request is not None and request.plan.job is not None else "",
            "evaluator_digest": record.evaluator,
        },
        "metrics": said["metrics"],
        "verdict": {
            "reason": record.reason,
            "champion_run_id": record.champion_run_id,
            "champion_value": record.champion_value,
            "comparable": record.comparable,
            "rules": said["rules"],
            "comparison": said["comparison"],
        },
        "image": {
            "reference": image.reference,
            "digest": image.reference.rpartition("@")[2],
            "dependency_image": image.base,
            "dependency_digest": image.base_digest,
            "statements": dict(image.statements),
        },
        "receipt": said["receipt"],
        "targets": said["targets"],
    }


def passport_statement(document: Mapping[str, Any]) -> Statement:
    """What is signed: the document, about the image that it names."""
    image = document["image"]
    repository = str(image["reference"]).partition("@")[0].partition("/")[2]
    subject = Subject(repository, str(image["digest"]).removeprefix("sha256:"))
    return Statement(subjects=(subject,), predicate_type=PASSPORT, predicate=document)


def passport_file(document: Mapping[str, Any], bundle: bytes) -> bytes:
    """A passport as a JSON file."""
    return canonical({"passport": dict(document), "bundle": json.loads(bundle)}) + b"\n"


def verify(content: bytes, keys: TrustedKeys) -> list[str]:
    """What does not fit in a passport's file, JSON or HTML, in sentences; empty when all does. Needs no network."""
    try:
        said, page = _read(content)
    except ValueError as error:
        return [str(error)]
    document, bundle = said["passport"], canonical(said["bundle"])
    try:
        statement = open_bundle(bundle, keys).statement
    except UntrustedError:
        return ["the signature was not made with this key, or what was signed has been changed"]
    except EnvelopeError as error:
        return [f"the signature {error}"]
    if statement.predicate_type != PASSPORT:
        return [f"what was signed is no passport but {statement.predicate_type}"]
    found = [_sentence(*each) for each in _differences(document, dict(statement.predicate), "")]
    found += _inner_faults(dict(statement.predicate), statement)
    if page and not found:
        from shared.signing.passport_page import is_page_of

        if not is_page_of(content, document, bundle):
            found.append("the page shows something else than the document in it")
    return found[:MOST_FINDINGS]


def document_in(content: bytes) -> dict[str, Any]:
    """The document of a passport's file, unverified; raises ``ValueError``."""
    return dict(_read(content)[0]["passport"])


def issued_at(record: RunRecord) -> datetime:
    """When a passport speaks from: the end of the run."""
    return record.ended_at or record.requested_at


def _read(content: bytes) -> tuple[dict[str, Any], bool]:
    """The file's two parts, and whether it is a page."""
    page = content.lstrip()[:1] == b"<"
    if page:
        embedded = _EMBEDDED.search(content)
        if embedded is None:
            raise ValueError("the page has no passport in it")
        content = embedded[1]
    try:
        said = json.loads(content)
        if isinstance(said["passport"], dict) and isinstance(said["bundle"], dict):
            return said, page
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError("the file is no passport: it has no parts passport and bundle")


def _inner_faults(document: dict[str, Any], statement: Statement) -> list[str]:
    """Whether the signed document fits to what was signed."""
    try:
        digest, reference = document["image"]["digest"], str(document["image"]["reference"])
        repository = reference.partition("@")[0].partition("/")[2]
    except (KeyError, TypeError):
        return ["the passport names no image"]
    if not isinstance(digest, str) or not is_digest(digest) or not reference.endswith(f"@{digest}"):
        return ["image.digest is not the digest in image.reference"]
    if not statement.speaks_of(digest, name=repository):
        return ["the signature is about another image than the passport"]
    return []


_Difference = tuple[str, Any, Any]
_ABSENT: Final = object()


def _differences(shown: Any, signed: Any, path: str) -> Iterator[_Difference]:
    if isinstance(shown, dict) and isinstance(signed, dict):
        for name in sorted({*shown, *signed}):
            inner = f"{path}.{name}" if path else name
            yield from _differences(shown.get(name, _ABSENT), signed.get(name, _ABSENT), inner)
    elif isinstance(shown, list) and isinstance(signed, list) and len(shown) == len(signed):
        for number, (one, other) in enumerate(zip(shown, signed, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif type(shown) is not type(signed) or shown != signed:
        yield path, shown, signed


def _sentence(path: str, shown: Any, signed: Any) -> str:
    return f"{path} is {_text(shown)} here, and {_text(signed)} in what was signed"


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "missing"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def day_and_time(text: str | None) -> str:
    """A moment of the document for people, in UTC."""
    if not text:
        return ""
    return timestamp(datetime.fromisoformat(text)).replace("T", " ").replace("Z", " UTC")
