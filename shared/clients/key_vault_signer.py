"""Signs with a key of Azure Key Vault that never leaves it (REST API 7.4): ``key/sign`` with ES256.

https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign. No SDK: one call, and its pins would decide ours. The
app's managed identity needs the role "Key Vault Crypto User" on the key.
"""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from shared.clients.foreign_answers import stranger
from shared.clients.identity import CheckedCredential, NoIdentityError
from shared.clients.key_vault import SCOPE, ask_vault
from shared.clients.registry_address import on_loopback
from shared.errors import Code, PermanentError

_REMEDY: Final = "EDGETRAIN_SIGNING__KEY_VAULT_KEY, that the key is enabled, and the app's role Key Vault Crypto User"
_HALF: Final = 32  # bytes of each of the two numbers of a signature


class KeyVaultSigner:
    """One version of one key, by its identifier ``https://<vault>/keys/<name>/<version>``.

    Implements :class:`shared.signing.keys.Signer`. ``token`` gives an access token for the vault.
    """

    def __init__(self, key_id: str, token: Callable[[], str]) -> None:
        self._url = _checked(key_id)
        self._token = token
        self._session = requests.Session()
        self._lock = threading.Lock()
        self._public: EllipticCurvePublicKey | None = None

    @property
    def public_key(self) -> EllipticCurvePublicKey:
        """The key that verifies what it signs; asked for once."""
        with self._lock:
            if self._public is None:
                self._public = _public_key(self._ask("GET", "", None).get("key"), self._url)
            return self._public

    def sign_digest(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest, in DER: the vault gives the two numbers one after the other."""
        answer = self._ask("POST", "/sign", {"alg": "ES256", "value": _encoded(digest)})
        raw = _decoded(answer.get("value"))
        if len(raw) != 2 * _HALF:
            raise stranger(f"the key vault {self._host}", f"a signature of {len(raw)} bytes")
        first, second = (int.from_bytes(half, "big") for half in (raw[:_HALF], raw[_HALF:]))
        signature = encode_dss_signature(first, second)
        try:
            self.public_key.verify(signature, digest, ECDSA(Prehashed(SHA256())))
        except InvalidSignature:  # nobody would accept it, and the image would be refused only where it is to serve
            raise stranger(f"the key vault {self._host}", "a signature by another key") from None
        return signature

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        return ask_vault(self._session, method, f"{self._url}{path}", self._token(), body=body, remedy=_REMEDY)


def vault_token(identity: Callable[[], CheckedCredential]) -> str:
    """A token of this identity for Key Vault."""
    try:
        return identity().get_token(SCOPE).token
    except NoIdentityError:
        reason = (
            "there is no login for the key vault: give the app a managed identity with the role Key Vault Crypto User,"
            " or set EDGETRAIN_SIGNING__PRIVATE_KEY_FILE instead"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def key_vault_signer(key_id: str, identity: Callable[[], CheckedCredential]) -> KeyVaultSigner:
    """Signs with this key as this identity, which is asked for when it is needed."""
    return KeyVaultSigner(key_id, lambda: vault_token(identity))


def _checked(key_id: str) -> str:
    parts = urlsplit(key_id.strip().rstrip("/"))
    pieces = parts.path.strip("/").split("/")
    secure = parts.scheme == "https" or (parts.scheme == "http" and on_loopback(key_id))
    if not secure or not parts.hostname or parts.query or len(pieces) != 3 or pieces[0] != "keys" or not all(pieces):
        reason = (
            "EDGETRAIN_SIGNING__KEY_VAULT_KEY must be a key's identifier with its version, like"
            " https://<vault>.vault.azure.net/keys/<name>/<version>"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return f"{parts.scheme}://{parts.netloc}/{'/'.join(pieces)}"


def _public_key(key: object, url: str) -> EllipticCurvePublicKey:
    if not isinstance(key, dict) or key.get("crv") != "P-256" or key.get("kty") not in {"EC", "EC-HSM"}:
        reason = f"the key {url} is not one of the curve P-256; make one with `az keyvault key create --kty EC`"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    x, y = (int.from_bytes(_decoded(key.get(part)), "big") for part in ("x", "y"))
    try:
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:
        raise stranger(f"the key vault {urlsplit(url).netloc}", "a key that is no point of the curve") from None


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def _decoded(value: object) -> bytes:
    text = value if isinstance(value, str) else ""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return b""
