"""Keys for tests, and images that are signed with them."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.oci.referrers import ReferrersRegistry
from shared.settings import Signing
from shared.signing.image_signatures import ImageSignatures
from shared.signing.keys import FileKeySigner, TrustedKeys, public_pem


def a_key(name: str = "a key") -> FileKeySigner:
    """A key that is the same whenever it is asked for by this name."""
    return _made(name)


@cache
def _made(name: str) -> FileKeySigner:
    del name
    return FileKeySigner(generate_private_key(SECP256R1()))


def private_pem(key: FileKeySigner) -> str:
    """The private key as a file holds it."""
    return key._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def trusting(*names: str) -> TrustedKeys:
    """The public keys of these names; without one, of ``a key``."""
    return TrustedKeys(tuple(a_key(name).public_key for name in names or ("a key",)))


def image_signatures(registry: ReferrersRegistry, name: str = "a key") -> ImageSignatures:
    """Signs images with the key of that name, and trusts it alone."""
    return ImageSignatures(registry, a_key(name), trusting(name))


def signing_settings(folder: Path, name: str = "a key", *trusted: str) -> dict[str, str]:
    """The environment of an app that signs with the key of that name, from a file, and trusts it and others."""
    file = folder / f"{name.replace(' ', '-')}.pem"
    file.write_text(private_pem(a_key(name)), encoding="ascii")
    keys = "".join(public_pem(a_key(each).public_key) for each in (name, *trusted))
    return {"EDGETRAIN_SIGNING__PRIVATE_KEY_FILE": str(file), "EDGETRAIN_SIGNING__TRUSTED_KEYS": keys}


def signing(folder: Path, name: str = "a key", *trusted: str) -> Signing:
    """The same as :func:`signing_settings`, read."""
    given = signing_settings(folder, name, *trusted)
    return Signing(
        private_key_file=given["EDGETRAIN_SIGNING__PRIVATE_KEY_FILE"],
        trusted_keys=given["EDGETRAIN_SIGNING__TRUSTED_KEYS"],
    )
