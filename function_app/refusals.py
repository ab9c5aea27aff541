"""Refusals that a secret may be the reason of, which has been rotated since."""

from typing import Final

from function_app.composition import Services
from shared.errors import Code, PermanentError, TransientError

_MAY_BE_OF_OLD_SECRETS: Final = frozenset({Code.BAD_CONFIGURATION, Code.REGISTRY_REFUSED, Code.NOT_READY})


def of_old_secrets(error: PermanentError, services: Services, since: int) -> TransientError | None:
    """The error to raise instead when secrets have changed since that generation: the same may work now."""
    if error.code in _MAY_BE_OF_OLD_SECRETS and services.renewed(since):
        return TransientError(f"{error.reason}; secrets have changed meanwhile")
    return None
