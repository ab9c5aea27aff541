"""Signers and trusted keys of the settings."""

from collections.abc import Callable
from pathlib import Path

from shared.clients.identity import CheckedCredential, managed_identity
from shared.errors import Code, PermanentError
from shared.settings import Signing
from shared.signing.keys import FileKeySigner, Signer, TrustedKeys, key_id


def connect(settings: Signing, identity: Callable[[], CheckedCredential] = managed_identity) -> Signer:
    """What the settings say to sign with: a key of Key Vault, or one in a file.

    Raises :class:`PermanentError` (bad_configuration) also when the key is not among the trusted ones: what it signs
    would be refused. ``identity``: signs with the key of Key Vault.
    """
    signer = _signer(settings, identity)
    if key_id(signer.public_key) not in trusted_keys(settings).ids:
        reason = (
            "images would be signed with a key that is not trusted, and be refused everywhere: add its public key to"
            " EDGETRAIN_SIGNING__TRUSTED_KEYS"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return signer


def trusted_keys(settings: Signing) -> TrustedKeys:
    """The keys whose signatures count."""
    try:
        return TrustedKeys.parse(settings.trusted_keys)
    except ValueError:
        reason = "EDGETRAIN_SIGNING__TRUSTED_KEYS must hold public keys in PEM (curve P-256), one after the other"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def _signer(settings: Signing, identity: Callable[[], CheckedCredential]) -> Signer:
    if settings.key_vault_key:
        from shared.clients.key_vault_signer import key_vault_signer

        return key_vault_signer(settings.key_vault_key, identity)
    if not settings.private_key_file:
        reason = (
            "there is no key to sign images with, and nothing unsigned is run: set EDGETRAIN_SIGNING__KEY_VAULT_KEY, or"
            " EDGETRAIN_SIGNING__PRIVATE_KEY_FILE where there is no key vault"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    try:
        return FileKeySigner.read(Path(settings.private_key_file))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        reason = f"EDGETRAIN_SIGNING__PRIVATE_KEY_FILE names a file that cannot be used: {why}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
