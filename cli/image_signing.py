"""Sign an image that is in the registry already, on the operator's word: made before images were signed, or elsewhere.

Whoever signs says that the image may be run. So the image is named by its digest, never by a tag.
"""

from cli.layer_cache import Say
from shared.clients.container_registry import connect
from shared.clients.identity import signed_in
from shared.clients.signers import connect as connect_signer
from shared.clients.signers import trusted_keys
from shared.errors import Code, PermanentError
from shared.oci.references import is_digest, parse_name
from shared.oci.transfer import find_image
from shared.settings import ContainerRegistry, Signing
from shared.signing.image_signatures import ImageSignatures


def sign(image: str, registry: ContainerRegistry, signing: Signing, *, say: Say) -> None:
    """Sign ``repository@sha256:...`` of this registry, its host before it or not; nothing is done twice."""
    signer, trusted = connect_signer(signing, signed_in), trusted_keys(signing)
    with connect(registry, signed_in) as client:
        try:
            name = parse_name(image.removeprefix(f"{client.host}/"))
            found = find_image(client, name) if is_digest(name.reference) else None
        except ValueError as error:
            raise PermanentError(f"{image}: {error}", code=Code.BAD_REQUEST) from None
        if not is_digest(name.reference):
            reason = f"{image} names a tag, which may be moved while you look; name it as {name.repository}@sha256:..."
            raise PermanentError(reason, code=Code.BAD_REQUEST)
        if found is None:
            raise PermanentError(f"the registry {client.host} has no image {name}", code=Code.BAD_REQUEST)
        signatures = ImageSignatures(client, signer, trusted)
        if signatures.is_signed(found.repository, found.digest):
            say(f"{client.host}/{name} is signed already")
            return
        signatures.sign(found.repository, found.descriptor, [])
        say(f"{client.host}/{name} is signed")
