"""What the app may do at a hub's blob storage, found out by requests that change nothing.

A right is asked for with an operation that cannot succeed: reading, changing and removing a blob that does not exist,
and writing one under a condition that never holds. The storage looks at the rights first, so 403 means that there is
none, and "no such blob" or "condition not met" that there is one. Anything else says nothing of the right.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, LinearRetry

from shared.clients.bounded_http import BoundedSession
from shared.clients.hub_access import HubAccess, authorities_of
from shared.clients.hub_listing import ListingTransport
from shared.clients.storage_errors import require_own, translated
from shared.errors import EdgetrainError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.settings import Site

WITHIN: Final = 20.0
"""Seconds after which no further request is made."""
_CONNECT, _ANSWER = 4.0, 6.0
_OLDER: Final = ("2019-02-02", "2018-11-09", "2018-03-28", "2017-11-09", "2017-07-29", "2017-04-17", "2016-05-31")
_AT_A_TIME: Final = 8
_ASKED: Final = "edgetrain_asked"
_NO_CONTAINER: Final = ("ContainerNotFound", "ContainerBeingDeleted")
_ASKED_IN_VAIN: Final = {(404, "BlobNotFound"), (412, "ConditionNotMet")}
"""How a storage refuses for another reason than a missing right."""
_NEVER: Final = '"0xNEVER"'


class Right(StrEnum):
    """What one may do in a container."""

    LIST = "list"
    READ = "read"
    WRITE = "write"
    CREATE = "create"
    ADD = "add"
    DELETE = "delete"


class Answer(StrEnum):
    """How the storage answered: ``MISSING`` is the container, ``OTHER`` anything that says nothing of the right."""

    MAY = "may"
    MAY_NOT = "may not"
    MISSING = "missing"
    OTHER = "other"


class Holdout(StrEnum):
    """Whether a hold-out is there: ``EMPTY`` is a container in which nothing lies at all, not even the hold-out."""

    THERE = "there"
    LACKS = "lacks"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer; ``said`` is the storage's own code."""

    answer: Answer
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """What was seen of a site's storage.

    ``trouble``: why nothing more could be seen. ``refused``: it does not know the version of the settings, ``newest``
    is the one that it does know. ``skew``: seconds by which its clock is ahead of the app's, or behind.
    ``rights``: by container; ``holdouts``: by container and name.
    """

    version: str
    trouble: EdgetrainError | None = None
    refused: bool = False
    newest: str = ""
    skew: float = 0.0
    rights: Mapping[str, Mapping[Right, Told]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    holdouts: Mapping[tuple[str, str], Holdout] = field(default_factory=dict)


def examine_hub(
    name: str, site: Site, holdouts: Sequence[tuple[str, str]], *, rights: bool = True, within: float = WITHIN
) -> HubFacts:
    """Look at a site's storage. ``holdouts``: container and name of every hold-out that pipelines have there.

    ``rights``: whether to find out what else than to list the app may do.

    Raises :class:`PermanentError` when the settings of the site cannot be used at all.
    """
    clocks = _Clocks()
    bundle = authorities_of(name, site)
    access = HubAccess(name, site, lambda: _options(clocks, bundle))
    try:
        return _Examination(name, site, access, clocks, within).of(holdouts, all_rights=rights)
    finally:
        access.close()


class _Examination:
    def __init__(self, name: str, site: Site, access: HubAccess, clocks: "_Clocks", within: float) -> None:
        self._name = name
        self._site = site
        self._access = access
        self._clocks = clocks
        self._ends = time.monotonic() + within

    def of(self, holdouts: Sequence[tuple[str, str]], *, all_rights: bool) -> HubFacts:
        version = self._site.api_version
        there: dict[tuple[str, str], Holdout] = {}
        rights: dict[str, dict[Right, Told]] = {}
        try:
            with ThreadPoolExecutor(_AT_A_TIME) as pool:
                for place, (told, found) in zip(holdouts, pool.map(self._list, holdouts), strict=True):
                    listed = rights.setdefault(place[0], {}).setdefault(Right.LIST, told)
                    if listed.answer is Answer.MAY:  # of several looks at a container, one that says less counts
                        rights[place[0]][Right.LIST] = told
                    there[place] = found
                asked = (*rights, MANIFESTS) if all_rights else ()
                for container, seen in zip(asked, pool.map(self._rights, asked), strict=True):
                    rights.setdefault(container, {}).update(seen)
        except _VersionRefusedError:
            return HubFacts(version=version, refused=True, newest=self._newest())
        except EdgetrainError as error:
            return HubFacts(version=version, trouble=error)
        settings = {container: self._access.setting(container) for container in rights}
        return HubFacts(version=version, skew=self._clocks.skew, rights=rights, settings=settings, holdouts=there)

    def _list(self, place: tuple[str, str]) -> tuple[Told, Holdout]:
        container, name = place
        client = self._access.client(container).get_container_client(container)
        first: list[str] = []

        def ask() -> None:
            for prefix in (name, None):
                listed = client.list_blobs(name_starts_with=prefix, results_per_page=1)
                first.extend(blob.name for blob in next(listed.by_page(), ()))
                if first:
                    return

        told = self._told(container, ask)
        found = Holdout.THERE if name in first else Holdout.LACKS if first else Holdout.EMPTY
        return (Told(answer=Answer.MAY) if told is None else told), found

    def _rights(self, container: str) -> dict[Right, Told]:
        """Only where the app writes itself is a write tried; elsewhere a change of what is not there says the same.

        With the right to write one may create and add too, and with each of these alone a part of it.
        """
        writing = container == MANIFESTS
        blob = self._access.client(container).get_blob_client(container, f"edgetrain-doctor/{secrets.token_hex(16)}")
        asks: dict[Right, Callable[[], object]] = {
            Right.READ: lambda: blob.download_blob(offset=0, length=1),
            Right.WRITE: (lambda: _write(blob)) if writing else (lambda: blob.set_blob_metadata({})),
            Right.DELETE: blob.delete_blob,
        }
        if not writing:
            asks |= {Right.CREATE: blob.create_snapshot, Right.ADD: lambda: blob.append_block(b"-")}
        found = {right: self._told(container, ask) for right, ask in asks.items()}
        return {right: told or Told(answer=Answer.MAY) for right, told in found.items()}

    def _told(self, container: str, ask: Callable[[], object]) -> Told | None:
        """What the storage said of a request; None when it did what was asked."""
        if time.monotonic() > self._ends:
            return Told(answer=Answer.OTHER, said="it was not asked in time")
        with translated(f"the blob storage of site {self._name}", self._access.setting(container)):
            try:
                ask()
            except HttpResponseError as error:
                return _of(error)
        return None

    def _newest(self) -> str:
        """The newest version that the storage takes, older than the one of the settings; empty when it takes none."""
        client = self._access.client(MANIFESTS)
        address = f"{client.scheme}://{client.primary_hostname}"
        older = (each for each in _OLDER if each < self._site.api_version)
        return next((each for each in older if _takes(address, each, self._site.ca_bundle)), "")


class _VersionRefusedError(Exception):
    pass


class _Clocks:
    """Compares the clock of each answer with the app's around the request."""

    def __init__(self) -> None:
        self.skew = 0.0

    def asking(self, request: Any) -> None:
        request.context[_ASKED] = datetime.now(UTC)

    def answered(self, answer: Any) -> None:
        require_own(answer)
        try:
            moment = parsedate_to_datetime(str(answer.http_response.headers["Date"]))
            ahead = (moment - datetime.now(UTC)).total_seconds()
            behind = (answer.context[_ASKED] - moment).total_seconds() - 1  # it is given in whole seconds
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        skew = ahead if ahead > 0 else -behind if behind > 0 else 0.0
        if abs(skew) > abs(self.skew):
            self.skew = skew


def _options(clocks: _Clocks, bundle: str) -> dict[str, Any]:
    return {
        "retry_policy": LinearRetry(retry_total=0),
        "transport": ListingTransport(
            session=BoundedSession(),
            connection_timeout=_CONNECT,
            read_timeout=_ANSWER,
            connection_verify=bundle or True,
        ),
        "raw_request_hook": clocks.asking,
        "raw_response_hook": clocks.answered,
    }


def _write(blob: BlobClient) -> None:
    blob.upload_blob(b"", overwrite=True, etag=_NEVER, match_condition=MatchConditions.IfNotModified)
    blob.delete_blob()  # a storage that does not know conditions has written it


def _of(error: HttpResponseError) -> Told | None:
    named = getattr(error, "error_code", "") or ""
    status, code = error.status_code or 0, str(getattr(named, "value", named))  # the SDK has an enumeration for most
    said = f"{status} {code}".strip()[:100]
    if status == 400 and code == "InvalidHeaderValue":
        raise _VersionRefusedError
    if status in {401, 403}:
        return Told(answer=Answer.MAY_NOT, said=said)
    if code in _NO_CONTAINER:
        return Told(answer=Answer.MISSING, said=said)
    if (status, code) in _ASKED_IN_VAIN:
        return None
    if status >= 500 or status < 400 or status in {408, 429}:
        raise error  # it says nothing now
    return Told(answer=Answer.OTHER, said=said)


def _takes(address: str, version: str, bundle: str) -> bool:
    """Whether a storage knows a version: to an anonymous request it then says something else than that it does not."""
    try:
        with requests.get(
            f"{address}/?comp=list&maxresults=1",
            headers={"x-ms-version": version},
            timeout=(_CONNECT, _ANSWER),
            allow_redirects=False,
            stream=True,
            verify=bundle or True,
        ) as answer:
            return answer.headers.get("x-ms-error-code") != "InvalidHeaderValue" and "x-ms-request-id" in answer.headers
    except requests.RequestException:
        return False
