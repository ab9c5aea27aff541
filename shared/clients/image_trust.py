"""Decides whether an image may be run: by signatures of trusted keys, on the image and on what it was made from.

Whoever may push to the registry could put any image under any name; so nothing is pulled, run or appended to before its
digest is found in a statement that one of the trusted keys has signed. The model's image must also begin with the
layers of a dependency image that is signed itself.
"""

from typing import Final

from shared.errors import Code, PermanentError
from shared.oci.references import ImageName, is_digest, parse_name
from shared.oci.referrers import ReferrersRegistry
from shared.oci.transfer import FoundImage, find_image
from shared.signing.attachments import Attachments
from shared.signing.bundles import open_bundle
from shared.signing.dsse import EnvelopeError, UntrustedError
from shared.signing.keys import TrustedKeys
from shared.signing.statements import IMAGE

BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
_WHO: Final = "find out who pushed it"
_UNLESS: Final = (
    f"{_WHO}; if it is one of ours from before, `edgetrain sign-image` or `edgetrain dependency-image` signs it"
)
_NAME_IT: Final = "start the run again, or name an image that a run has built"


class ImageTrust:
    """The images of one registry, and the keys whose signatures count."""

    def __init__(self, registry: ReferrersRegistry, keys: TrustedKeys) -> None:
        self._registry = registry
        self._attachments = Attachments(registry)
        self._keys = keys

    def require(self, image: str) -> None:
        """Let pass only a model's image (``host/repository@sha256:...``) that was signed, on a signed dependency image.

        Raises :class:`PermanentError` (signature_refused), whose reason says what does not fit.
        """
        name = self._own(image)
        found = self._signed(name, image)
        base = self._dependency_of(found, image)
        if found.image.layers[: len(base.image.layers)] != base.image.layers:
            why = f"it does not begin with the layers of {base.repository}@{base.digest}, as it says"
            raise _refused(image, why, _WHO)

    def require_dependency(self, found: FoundImage) -> None:
        """Let pass only a dependency image that was signed; raises as :meth:`require` does."""
        name = ImageName(found.repository, found.digest)
        self._require_signature(name, f"{self._registry.host}/{name}")

    def _own(self, image: str) -> ImageName:
        host, _, rest = image.partition("/")
        if host != self._registry.host:
            why = f"it is not in the registry {self._registry.host}, from which alone images are run"
            raise _refused(image, why, _NAME_IT)
        try:
            name = parse_name(rest)
        except ValueError as error:
            raise _refused(image, f"it is no name of an image: {error}", _NAME_IT) from None
        if not is_digest(name.reference):
            raise _refused(image, "it is named by a tag, which can be moved", "name it by its digest")
        return name

    def _signed(self, name: ImageName, image: str) -> FoundImage:
        """The image, when it is there and signed."""
        try:
            found = find_image(self._registry, name)
        except ValueError as error:
            raise _refused(image, f"{error}", _WHO) from None
        if found is None or found.digest != name.reference:
            raise _refused(image, "there is no such image in the registry", _NAME_IT)
        self._require_signature(name, image)
        return found

    def _dependency_of(self, found: FoundImage, image: str) -> FoundImage:
        facts = found.image.annotations
        try:
            base = ImageName(parse_name(facts.get(BASE_NAME, "")).repository, facts.get(BASE_DIGEST, ""))
        except ValueError:
            raise _refused(image, "it does not say which dependency image it was made from", _WHO) from None
        if not is_digest(base.reference):
            raise _refused(image, "it does not name its dependency image by digest", _WHO)
        return self._signed(base, f"{self._registry.host}/{base}")

    def _require_signature(self, name: ImageName, image: str) -> None:
        if not self._keys.keys:
            reason = (
                "no key is trusted, so no image may run: set EDGETRAIN_SIGNING__TRUSTED_KEYS to the public key that"
                " images are signed with"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
        why, remedy = "nobody has signed it", _UNLESS
        for _, bundle in self._attachments.bundles(name.repository, name.reference, IMAGE):
            try:
                statement = open_bundle(bundle, self._keys).statement
            except UntrustedError:
                why = f"none of the trusted keys has signed it ({_shown(self._keys)})"
            except EnvelopeError as error:
                why, remedy = f"its signature {error}", _WHO
            else:
                remedy = _WHO
                if statement.predicate_type != IMAGE:
                    why = f"its signature is of another kind, {statement.predicate_type}"
                elif statement.speaks_of(name.reference, name=name.repository):
                    return
                else:
                    why = "its signature is that of another image"
        raise _refused(image, why, remedy)


def _refused(image: str, why: str, remedy: str) -> PermanentError:
    return PermanentError(f"the image {image} is not used: {why}; {remedy}", code=Code.SIGNATURE_REFUSED)


def _shown(keys: TrustedKeys) -> str:
    return ", ".join(f"{each[:12]}..." for each in keys.ids)
