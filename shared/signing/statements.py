"""In-toto statements: what is said about which artifact; https://in-toto.io/Statement/v1 is their definition."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

IMAGE: Final = "https://sigstore.dev/cosign/sign/v1"
SBOM: Final = "https://cyclonedx.org/bom"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
MODEL: Final = "https://model_signing/signature/v1.0"
PASSPORT: Final = "urn:edgetrain:passport:v1"  # docs/delivery.md describes it


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact: a name for people and programs, and its SHA-256 in hex."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Says something (``predicate``, by its type) about artifacts."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes that are signed; the same statement always has the same."""
        subjects = [{"name": subject.name, "digest": {"sha256": subject.sha256}} for subject in self.subjects]
        return canonical(
            {
                "_type": STATEMENT,
                "subject": subjects,
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )

    def speaks_of(self, digest: str, *, name: str) -> bool:
        """Whether the artifact of that name and digest (``sha256:...``) is a subject."""
        return Subject(name, digest.removeprefix("sha256:")) in self.subjects


def read_statement(payload: bytes) -> Statement:
    """The statement in an envelope's payload; raises ``ValueError`` for anything else."""
    try:
        said = json.loads(payload)
        if said["_type"] != STATEMENT:
            raise ValueError("not an in-toto statement")
        subjects = tuple(Subject(str(each.get("name", "")), str(each["digest"]["sha256"])) for each in said["subject"])
        predicate = said.get("predicate") or {}
        if not isinstance(predicate, dict):
            raise ValueError("a statement whose predicate is no object")
        return Statement(subjects=subjects, predicate_type=str(said["predicateType"]), predicate=predicate)
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not an in-toto statement") from None


def canonical(value: object) -> bytes:
    """JSON with sorted names and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
