"""Parse a container registry's answers (OCI distribution-spec 1.1), and recognise foreign ones."""

import hashlib
from collections.abc import Collection, Iterable, Iterator

import requests

from shared.clients.foreign_answers import foreign, stranger
from shared.clients.transient import transient
from shared.errors import Code, PermanentError, TransientError

DIGEST = "Docker-Content-Digest"
_REASON_LENGTH = 500
_CREDENTIALS = "EDGETRAIN_CONTAINER_REGISTRY__USERNAME and __PASSWORD, or the app's identity, and that they may push"

# The registry received other bytes than we sent, or lost them: the next attempt sends them anew.
_LOST_ON_THE_WAY = ("BLOB_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID")


def unavailable(cause: str) -> TransientError:
    """The error when the registry, or its login service, cannot now; ``cause`` names it."""
    return transient(cause, check="its health and the network between the app and it")


def require(response: requests.Response, host: str, good: Collection[int], doing: str) -> None:
    """Let pass only answers with a good status; ``doing`` completes "did not ...".

    Raises :class:`TransientError` when the registry cannot now, :class:`PermanentError` when it refuses.
    """
    status = response.status_code
    if status in good:
        return
    said = _said(response)
    reason = f"the registry {host} did not {doing}: {status} {said}".rstrip()[:_REASON_LENGTH]
    lost = response.request.method == "PUT" and said.partition(" ")[0].endswith(_LOST_ON_THE_WAY)
    if status in {408, 429} or status >= 500 or lost:
        raise unavailable(reason)
    check = _CREDENTIALS if status in {401, 403} else "what the registry allows"
    raise PermanentError(f"{reason}; check {check}", code=Code.REGISTRY_REFUSED)


def require_own(response: requests.Response, host: str, *, redirects: bool = False) -> None:
    """Raise :class:`TransientError` for a foreign answer, whatever its status is."""
    status = response.status_code
    instead = foreign(200 if redirects and status == 307 else status, response.headers.get("Content-Type"))
    if instead:
        response.close()
        raise stranger(f"the registry {host}", instead)


def require_digest(response: requests.Response, host: str, digest: str) -> bool:
    """Whether the answer names the expected digest; False when it names none.

    Raises :class:`TransientError` when it names another.
    """
    named = response.headers.get(DIGEST)
    if named and named != digest:
        raise unavailable(f"the registry {host} speaks of other bytes than {digest}")
    return bool(named)


def checked(pieces: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """The pieces; raises at their end when they are not the bytes of that digest. Lost bytes the registry reports."""
    actual = hashlib.sha256()
    for piece in pieces:
        actual.update(piece)
        yield piece
    if f"sha256:{actual.hexdigest()}" != digest:
        raise PermanentError(
            f"blob {digest} was not sent: its content does not match the digest, a fault of the app",
            code=Code.REGISTRY_REFUSED,
        )


def _said(response: requests.Response) -> str:
    """The first error that the registry names (distribution-spec, "Error Codes")."""
    try:
        first = response.json()["errors"][0]
        return f"{first.get('code', '')} {first.get('message', '')}".strip()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
