"""A container registry by the OCI distribution API (distribution-spec 1.1): manifests, blobs, tags.

Works the same against Azure Container Registry and Distribution. Why not ``azure-containerregistry``:
``docs/adr/0006-own-registry-client.md``.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from shared.clients.bounded_http import BoundedSession
from shared.clients.foreign_answers import json_object, stranger
from shared.clients.identity import CheckedCredential, managed_identity
from shared.clients.registry_address import checked_url, on_loopback
from shared.clients.registry_answers import checked, require, require_digest, require_own, unavailable
from shared.clients.registry_login import (
    AnonymousLogin,
    EntraLogin,
    Login,
    PasswordLogin,
    Scopes,
    identity_token,
)
from shared.errors import Code, PermanentError, TransientError
from shared.oci.media_types import INDEXES, MANIFESTS, OCI_INDEX
from shared.oci.references import digest_of, is_digest
from shared.oci.referrers import MOST_REFERRERS
from shared.oci.transfer import StoredManifest
from shared.settings import ContainerRegistry
from shared.values.read_ahead import ReadAhead, joined
from shared.values.texts import shortened, without_queries

PIECE = 8 * 1024 * 1024  # bytes a request; ACR refuses bodies above some 20 MB, and this is also our memory
SMALL_BLOB = 4 * 1024 * 1024  # get_blob reads configurations, never layers
TIMEOUT = (10.0, 120.0)  # to connect, to answer; seconds


class ContainerRegistryClient:
    """One registry. Implements :class:`shared.oci.transfer.ImageRegistry`. Close it, or use it in ``with``.

    Raises :class:`TransientError` when the registry does not answer, when something else does, and when it says that
    it cannot now, and :class:`PermanentError` when it refuses. What comes is held to its digest, and so is what was
    sent, by the digest that the registry then names.
    """

    def __init__(self, url: str, login: Login | None = None, *, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._url = checked_url(url)
        self._timeout = timeout
        self._login = login or AnonymousLogin()
        self._session = BoundedSession()
        # Nothing of one request may reach another: activities share this client between threads.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __enter__(self) -> "ContainerRegistryClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._session.close()

    @property
    def host(self) -> str:
        """The registry's name in image references."""
        return urlsplit(self._url).netloc

    def get_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest or index behind a tag or digest, or None; its content is checked against its digest."""
        accept = ", ".join((*MANIFESTS, *INDEXES))
        with self._ask(
            "GET", f"{repository}/manifests/{reference}", _pull(repository), headers={"Accept": accept}
        ) as response:
            if response.status_code == 404:
                return None
            self._require(response, {200}, f"give manifest {repository}:{reference}")
            body = response.content
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        digest = digest_of(body)
        if is_digest(reference) and digest != reference:
            raise self._other_bytes(repository, reference)
        require_digest(response, self.host, digest)
        json_object(body, f"the registry {self.host}")
        return StoredManifest(media_type=media_type, digest=digest, body=body)

    def put_manifest(self, repository: str, tag: str, body: bytes, *, media_type: str) -> bool:
        """Store a manifest under its digest, and point the tag at it (``tag`` may be the digest itself).

        Returns whether the registry has noted that it is attached to another one, see :mod:`shared.oci.referrers`.
        """
        path = f"{repository}/manifests/{tag}"
        headers = {"Content-Type": media_type}
        with self._ask("PUT", path, _push(repository), data=body, headers=headers) as response:
            self._require(response, {201}, f"take manifest {repository}:{tag}")
            kept = require_digest(response, self.host, digest_of(body))
            attached = "OCI-Subject" in response.headers
        if not kept and self.get_manifest(repository, digest_of(body)) is None:
            raise unavailable(f"the registry {self.host} accepted manifest {repository}:{tag}, but does not have it")
        return attached

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        """The index of what is attached to a manifest; None when the registry does not keep one itself.

        A registry gives it in pages; of a long one, so many that :data:`MOST_REFERRERS` are in it.
        """
        found: list[Any] = []
        path = f"{repository}/referrers/{digest}"
        while path and len(found) < MOST_REFERRERS:
            with self._ask("GET", path, _pull(repository)) as response:
                if response.status_code == 404:
                    return None
                self._require(response, {200}, f"list what is attached to {repository}@{digest}")
                page = json_object(response.content, f"the registry {self.host}")
                entries = page.get("manifests")
                found += entries if isinstance(entries, list) else []
                path = self._next_page(response) if entries else ""
        return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}).encode()

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest with every tag that points at it; nothing when there is none."""
        scopes = (f"repository:{repository}:pull,push,delete",)
        with self._ask("DELETE", f"{repository}/manifests/{digest}", scopes) as response:
            if response.status_code != 404:
                self._require(response, {202}, f"remove {repository}@{digest}")

    def tags(self, repository: str) -> list[str]:
        """Every tag of a repository; none when there is no such repository."""
        found: list[str] = []
        path = f"{repository}/tags/list"
        while path:
            with self._ask("GET", path, (f"repository:{repository}:pull,metadata_read",)) as response:
                if response.status_code == 404:
                    return found
                self._require(response, {200}, f"list the tags of {repository}")
                page = json_object(response.content, f"the registry {self.host}")
                found += [str(tag) for tag in page.get("tags") or ()]
                path = self._next_page(response)
        return found

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository holds the blob."""
        with self._ask("HEAD", f"{repository}/blobs/{digest}", _pull(repository)) as response:
            if response.status_code == 404:
                return False
            # A registry that keeps blobs elsewhere redirects there, and HEAD need not follow.
            self._require(response, {200, 307}, f"say whether {repository} holds {digest}")
            require_digest(response, self.host, digest)
            return True

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A blob of at most 4 MiB, checked against its digest."""
        content = b""
        for piece in self.stream_blob(repository, digest):
            content += piece
            if len(content) > SMALL_BLOB:
                raise PermanentError(f"{repository}@{digest} is larger than {SMALL_BLOB} bytes", code=Code.BAD_REQUEST)
        return content

    def put_blob(self, repository: str, digest: str, content: BinaryIO) -> None:
        """Upload a blob in pieces of 8 MiB; the registry checks it against the digest."""
        self._upload(repository, checked(iter(partial(content.read, PIECE), b""), digest), lambda: digest)

    def put_pieces(self, repository: str, pieces: Iterable[bytes], digest: Callable[[], str]) -> None:
        """Upload a blob of which each piece of 8 MiB is made while the one before it is sent.

        ``digest`` is asked for after the last piece; the registry checks the blob against it.
        """
        with ReadAhead(joined(pieces, PIECE)) as bodies:
            self._upload(repository, bodies, digest)

    def mount_blob(self, repository: str, digest: str, *, source: str) -> bool:
        """Ask the registry to share a blob of the repository ``source``; false when it will not."""
        path = f"{repository}/blobs/uploads/?mount={digest}&from={source}"
        scopes = (*_push(repository), *_pull(source))
        with self._ask("POST", path, scopes) as response:
            if response.status_code == 202:  # it opened an upload instead, which is not used
                self._ask("DELETE", self._location(response), scopes).close()
                return False
            self._require(response, {201}, f"mount {digest} of {source} in {repository}")
            return True

    def copy_blob(self, repository: str, digest: str, *, source: str) -> None:
        """Mount a blob of another repository, or send it through here when the registry does not mount."""
        if not self.mount_blob(repository, digest, source=source):
            self._upload(repository, checked(self.stream_blob(source, digest), digest), lambda: digest)

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """The blob in pieces; raises at its end when they were not the bytes of that digest."""
        read = hashlib.sha256()
        with self._ask("GET", f"{repository}/blobs/{digest}", _pull(repository), stream=True) as response:
            self._require(response, {200}, f"give blob {repository}@{digest}")
            try:
                for piece in response.iter_content(PIECE):
                    read.update(piece)
                    yield piece
            except requests.RequestException as error:
                raise self._unanswered(error) from None
        if f"sha256:{read.hexdigest()}" != digest:
            raise self._other_bytes(repository, digest)

    def _other_bytes(self, repository: str, digest: str) -> TransientError:
        return unavailable(f"the registry {self.host} sent other content than {repository}@{digest}")

    def _upload(self, repository: str, pieces: Iterable[bytes], digest_of_all: Callable[[], str]) -> None:
        """One session: POST opens it, each PATCH adds a piece, PUT names the digest (with the last piece)."""
        scopes, doing = _push(repository), f"take a blob into {repository}"
        with self._ask("POST", f"{repository}/blobs/uploads/", scopes) as response:
            self._require(response, {202}, doing)
            location = self._location(response)
        sent, waiting = 0, b""
        for piece in pieces:
            if waiting:
                location = self._patch(location, waiting, sent, scopes, doing)
                sent += len(waiting)
            waiting = piece
        digest = digest_of_all()
        doing = f"take blob {digest} into {repository}"
        separator = "&" if urlsplit(location).query else "?"
        finish = f"{location}{separator}digest={digest}"
        with self._ask("PUT", finish, scopes, data=waiting, headers=_range(sent, waiting)) as response:
            self._require(response, {201}, doing, lost={404, 416})
            kept = require_digest(response, self.host, digest)
        if not kept and not self.has_blob(repository, digest):
            raise unavailable(f"the registry {self.host} accepted blob {repository}@{digest}, but does not have it")

    def _patch(self, location: str, piece: bytes, start: int, scopes: Scopes, doing: str) -> str:
        with self._ask("PATCH", location, scopes, data=piece, headers=_range(start, piece)) as response:
            # A registry that restarted has forgotten the session; the next attempt opens a new one.
            self._require(response, {202}, doing, lost={404, 416})
            return self._location(response)

    def _ask(
        self,
        method: str,
        path: str,
        scopes: Scopes,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """One request, repeated once when the login can renew its token after a refusal."""
        url = urljoin(f"{self._url}/v2/", path)
        for attempt in (1, 2):
            try:
                response = self._session.request(
                    method,
                    url,
                    data=data,
                    headers=headers,
                    auth=_Authorization(self._login.header(scopes)),
                    timeout=self._timeout,
                    stream=stream,
                    allow_redirects=method == "GET",  # a blob's bytes may lie elsewhere; requests drops the login then
                )
            except requests.RequestException as error:
                raise self._unanswered(error) from None
            require_own(response, self.host, redirects=method == "HEAD")
            if response.status_code != 401 or attempt == 2:
                break
            if not self._login.refused(response.headers.get("WWW-Authenticate", ""), scopes):
                break
            response.close()
        return response

    def _next_page(self, response: requests.Response) -> str:
        """Where a list goes on; empty at its end."""
        following = response.links.get("next", {}).get("url")
        return self._same_host(response, following) if following else ""

    def _location(self, response: requests.Response) -> str:
        """Where an upload goes on."""
        location = response.headers.get("Location")
        if not location:
            raise stranger(f"the registry {self.host}", f"a {response.status_code} that names no place to upload to")
        return self._same_host(response, location)

    def _same_host(self, response: requests.Response, url: str) -> str:
        """An address that the registry gave, absolute or relative; never another host, which would get our login."""
        address = urljoin(response.request.url or self._url, url)
        if urlsplit(address)[:2] != urlsplit(self._url)[:2]:
            reason = (
                f"the registry {self.host} sends us to another host, {urlsplit(address).netloc}, which is not followed;"
                " use a registry that takes uploads at its own address"
            )
            raise PermanentError(reason, code=Code.REGISTRY_REFUSED)
        return address

    def _require(
        self, response: requests.Response, good: Collection[int], doing: str, *, lost: Collection[int] = ()
    ) -> None:
        if response.status_code in lost:
            require_own(response, self.host)
            raise unavailable(f"the registry {self.host} did not {doing}: {response.status_code}, its session is lost")
        require(response, self.host, good, doing)

    def _unanswered(self, error: requests.RequestException) -> TransientError:
        # A blob's bytes may lie elsewhere, at an address with a signature.
        return unavailable(f"the registry {self.host} did not answer: {shortened(without_queries(error))}")


class _Authorization(AuthBase):
    """Sets our header; without an ``auth`` of its own, requests would take one from a ``.netrc``."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header is not None:
            request.headers["Authorization"] = self._header
        return request


def connect(
    settings: ContainerRegistry,
    identity: Callable[[], CheckedCredential] = managed_identity,
    *,
    timeout: tuple[float, float] = TIMEOUT,
) -> ContainerRegistryClient:
    """The registry of the settings: with a password, anonymous on loopback, else as this identity.

    ``timeout``: seconds to connect, and to answer.
    """
    url = checked_url(settings.url)
    login: Login
    if settings.username:
        login = PasswordLogin(url, settings.username, settings.password.get_secret_value())
    elif on_loopback(url):
        login = AnonymousLogin()
    else:
        login = EntraLogin(url, partial(identity_token, identity))
    return ContainerRegistryClient(url, login, timeout=timeout)


def _pull(repository: str) -> Scopes:
    return (f"repository:{repository}:pull",)


def _push(repository: str) -> Scopes:
    return (f"repository:{repository}:pull,push",)


def _range(start: int, piece: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if piece:
        headers["Content-Range"] = f"{start}-{start + len(piece) - 1}"
    return headers
