"""What an identity may do at a container registry, found out by requests that leave nothing behind.

Asked for are a tag and a manifest that do not exist, and an upload that is given up at once: the registry looks at the
rights first.
"""

import hashlib
import secrets
from collections.abc import Callable
from enum import StrEnum

from shared.clients.container_registry import ContainerRegistryClient
from shared.errors import PermanentError


class RegistryRight(StrEnum):
    """What one may do in a repository."""

    PULL = "pull"
    PUSH = "push"
    MOUNT = "mount"
    DELETE = "delete"
    TAGS = "list tags"


def refusal(
    registry: ContainerRegistryClient, right: RegistryRight, repository: str, *, source: str = ""
) -> PermanentError | None:
    """Why the registry refuses; None when the identity may. ``source``: the repository to mount from.

    Raises :class:`shared.errors.TransientError` when it cannot be told.
    """
    nothing = f"sha256:{hashlib.sha256(secrets.token_bytes(32)).hexdigest()}"
    asks: dict[RegistryRight, Callable[[], object]] = {
        RegistryRight.PULL: lambda: registry.get_manifest(repository, nothing),
        RegistryRight.PUSH: lambda: registry.mount_blob(repository, nothing, source=repository),
        RegistryRight.MOUNT: lambda: registry.mount_blob(repository, nothing, source=source or repository),
        RegistryRight.DELETE: lambda: registry.delete_manifest(repository, nothing),
        RegistryRight.TAGS: lambda: registry.tags(repository),
    }
    try:
        asks[right]()
    except PermanentError as error:
        return error
    return None
