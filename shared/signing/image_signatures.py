"""Signs images: the statements about each, attached in an order that makes the image's own signature the last.

So an image that is signed has everything else too, and a build that was interrupted is seen by its missing signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.oci.images import Descriptor
from shared.oci.referrers import ReferrersRegistry
from shared.signing.attachments import Attached, Attachments
from shared.signing.keys import Signer, TrustedKeys
from shared.signing.statements import IMAGE, SBOM, Statement, Subject


class ImageSigner(Protocol):
    """Signs images of a registry, and reads what was signed there."""

    def is_signed(self, repository: str, digest: str) -> bool:
        """Whether the image was signed with the own key."""

    def sbom(self, repository: str, digest: str) -> dict[str, Any]:
        """The bill of materials that is attached to an image by a trusted key; empty when there is none."""

    def sign(self, repository: str, image: Descriptor, statements: Sequence[Statement]) -> None:
        """Attach these statements to the image, and then its signature."""


@dataclass(frozen=True, slots=True)
class ImageSignatures:
    """Implements :class:`ImageSigner` with one key; what others signed counts by the ``trusted`` keys."""

    registry: ReferrersRegistry
    signer: Signer
    trusted: TrustedKeys

    def is_signed(self, repository: str, digest: str) -> bool:
        """Whether the image was signed with the own key."""
        own = TrustedKeys((self.signer.public_key,))
        return Attachments(self.registry).find(repository, digest, IMAGE, own) is not None

    def sbom(self, repository: str, digest: str) -> dict[str, Any]:
        """The bill of materials that is attached to an image by a trusted key; empty when there is none."""
        found = Attachments(self.registry).find(repository, digest, SBOM, self.trusted)
        return found.predicate if found is not None else {}

    def sign(self, repository: str, image: Descriptor, statements: Sequence[Statement]) -> None:
        """Attach these statements to the image, and then its signature."""
        own = about_image(repository, image.digest, IMAGE, {})
        Attachments(self.registry).add(repository, image, [*statements, own], self.signer)

    def attach(self, repository: str, image: Descriptor, statement: Statement) -> Attached:
        """Sign one statement and attach it to an image."""
        (attached,) = Attachments(self.registry).add(repository, image, [statement], self.signer)
        return attached


def about_image(repository: str, digest: str, predicate_type: str, predicate: Mapping[str, Any]) -> Statement:
    """A statement whose subject is an image."""
    subject = Subject(repository, digest.removeprefix("sha256:"))
    return Statement(subjects=(subject,), predicate_type=predicate_type, predicate=predicate)
