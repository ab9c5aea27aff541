"""Issue the passport of a run whose model is served: sign it and attach it to the image."""

from typing import Protocol

from shared.messages import Done, IssuedPassport, IssuePassport, Outcome, RunRecord, RunRequest
from shared.oci.references import ImageName, parse_name
from shared.oci.referrers import ReferrersRegistry
from shared.oci.transfer import FoundImage, find_image
from shared.signing.attachments import Attachments
from shared.signing.image_signatures import ImageSignatures
from shared.signing.keys import TrustedKeys
from shared.signing.passports import ImageFacts, passport_of, passport_statement
from shared.signing.provenance import model_of
from shared.signing.statements import IMAGE, MODEL, PASSPORT, PROVENANCE, SBOM, Subject

_KINDS = {"signature": IMAGE, "sbom": SBOM, "provenance": PROVENANCE}


class Runs(Protocol):
    """Keeps run records."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def request(self, run_id: str) -> RunRequest | None:
        """The request that was claimed under this run id."""


class Passports(Protocol):
    """Keeps which image carries the passport of a model's version."""

    def keep(self, passport: IssuedPassport) -> None:
        """Record the passport; a repeat replaces it."""


def issue_passport(
    command: IssuePassport,
    *,
    runs: Runs,
    registry: ReferrersRegistry,
    signatures: ImageSignatures,
    passports: Passports,
) -> Done:
    """Issue it once: a repeat finds the passport of the first. Nothing for a run whose model is not served."""
    record = runs.run(command.run_id)
    if record is None or record.outcome is not Outcome.PROMOTED or not record.image or not record.model:
        return Done()
    name = parse_name(record.image.partition("/")[2])
    found = find_image(registry, name)
    if found is None:
        return Done()
    attached = _statements(name, record.pipeline, Attachments(registry), signatures.trusted)
    document = passport_of(record, runs.request(command.run_id), _facts(record.image, found, attached))
    statement = passport_statement(document)
    own = TrustedKeys((signatures.signer.public_key,))
    known = Attachments(registry).find(name.repository, name.reference, PASSPORT, own)
    if known is None or known.signed.statement != statement:
        signatures.attach(name.repository, found.descriptor, statement)
    passports.keep(
        IssuedPassport(model=record.model, version=record.version or "", run_id=record.run_id, image=record.image)
    )
    return Done()


def _statements(name: ImageName, pipeline: str, attachments: Attachments, keys: TrustedKeys) -> dict[str, str]:
    """The digests of what is attached, by kind. The passport vouches for them, so only what trusted keys have signed.

    Those of a model's folder speak of that folder, whose digest the image's provenance has.
    """
    found: dict[str, str] = {}
    model = ""
    for kind, predicate_type in _KINDS.items():
        attached = attachments.find(name.repository, name.reference, predicate_type, keys)
        if attached is not None:
            found[kind] = attached.digest
            model = model_of(attached.predicate) if predicate_type == PROVENANCE else model
    folder = attachments.find(name.repository, name.reference, MODEL, keys, subject=Subject(pipeline, model))
    return found | ({"model": folder.digest} if folder is not None else {})


def _facts(reference: str, found: FoundImage, statements: dict[str, str]) -> ImageFacts:
    facts = found.image.annotations
    return ImageFacts(
        reference=reference,
        base=facts.get("org.opencontainers.image.base.name", ""),
        base_digest=facts.get("org.opencontainers.image.base.digest", ""),
        statements=statements,
    )
