"""Signed statements attached to an image, where cosign puts its own: one bundle a referrer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.oci.images import Descriptor
from shared.oci.referrers import Artifact, ReferrersRegistry, attach, attached, referrers
from shared.signing.bundles import MEDIA_TYPE, Signed, open_bundle, sign
from shared.signing.dsse import EnvelopeError
from shared.signing.keys import Signer, TrustedKeys
from shared.signing.statements import MODEL, Statement, Subject

PREDICATE: Final = "dev.sigstore.bundle.predicateType"
CONTENT: Final = "dev.sigstore.bundle.content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A signed statement as it is attached to an image: by the digest of its manifest, and as a bundle."""

    digest: str
    bundle: bytes
    signed: Signed

    @property
    def predicate(self) -> dict[str, Any]:
        """What it says."""
        return dict(self.signed.statement.predicate)


@dataclass(frozen=True, slots=True)
class Attachments:
    """The signed statements of images in one registry."""

    registry: ReferrersRegistry

    def bundles(self, repository: str, digest: str, predicate_type: str) -> Iterator[tuple[str, bytes]]:
        """The bundles that say to be of that type, each with its manifest's digest; the last attached first."""
        for referrer in reversed(referrers(self.registry, repository, digest)):
            if referrer.artifact_type == MEDIA_TYPE and referrer.annotations.get(PREDICATE) == predicate_type:
                content = attached(self.registry, repository, referrer, to=digest)
                if content is not None:
                    yield referrer.digest, content

    def find(
        self, repository: str, digest: str, predicate_type: str, keys: TrustedKeys, *, subject: Subject | None = None
    ) -> Attached | None:
        """The last statement of that type about the image that is signed by one of the keys; None when there is none.

        Whoever may push can attach what was signed about another image, so that what is attached must name its subject:
        the image; for a model's folder, whose digest the image does not tell, ``subject`` if it is given.
        """
        if subject is None and predicate_type != MODEL:
            subject = Subject(repository, digest.removeprefix("sha256:"))
        for manifest, bundle in self.bundles(repository, digest, predicate_type):
            try:
                signed = open_bundle(bundle, keys)
            except EnvelopeError:
                continue
            statement = signed.statement
            if statement.predicate_type == predicate_type and (subject is None or subject in statement.subjects):
                return Attached(digest=manifest, bundle=bundle, signed=signed)
        return None

    def add(
        self, repository: str, image: Descriptor, statements: Iterable[Statement], signer: Signer
    ) -> tuple[Attached, ...]:
        """Sign statements and attach them to an image of the repository."""
        signed = [(Signed(statement, signer.public_key), sign(statement, signer)) for statement in statements]
        artifacts = [
            Artifact(
                media_type=MEDIA_TYPE,
                content=bundle,
                annotations={CONTENT: "dsse-envelope", PREDICATE: each.statement.predicate_type},
            )
            for each, bundle in signed
        ]
        digests = attach(self.registry, repository, image, artifacts)
        return tuple(
            Attached(digest=digest, bundle=bundle, signed=each)
            for digest, (each, bundle) in zip(digests, signed, strict=True)
        )
