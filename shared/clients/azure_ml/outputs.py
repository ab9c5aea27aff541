"""The output files of a run: their names and contents, verified as far as possible.

Facts about azureml-core 1.61, observed:

* Its lists end, without an error, at a page that is empty or of another shape; so an empty list may be no answer.
* ``run.download_files`` makes paths of names as they are, ``outputs/model//etc/x`` too, and keeps no count of bytes.
* ``run.download_file`` reads a whole blob into memory, and leaves the service's MD5 alone.

So names are requested in two ways that must agree, and content is downloaded here, from the URL that the service gives:
in pieces, to a path of ours, up to a number of bytes, and checked against the length and the digest of the answer.
Those are of what the storage has; the job's own list of sizes and digests says whether that is what it wrote.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

from shared.clients.azure_ml.errors import translated, unavailable
from shared.clients.foreign_answers import stranger
from shared.decisions.training.artifact_names import MOST_BYTES, files_below
from shared.errors import Code, PermanentError
from shared.values.texts import counted, shortened

CHECKSUMS_FILE: Final = "outputs/checksums.json"  # written by site_agent/job/guard, last of all
PIECE: Final = 1 << 20
_OUTPUTS: Final = "outputs/"
_MOST_CHECKSUMS: Final = 8 << 20  # bytes; for as many files as may be delivered
_TIMEOUT: Final = (10.0, 120.0)  # to connect, to answer; seconds
_SERVICE: Final = "the storage of Azure ML"


class RunOutputs:
    """The files of one run, an SDK's ``Run``."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._names: list[str] = []
        self._left: dict[str, Any] | None = None

    def names(self) -> list[str]:
        """Every file's name. Raises :class:`TransientError` when there is none: every ended run has at least a log."""
        if not self._names:
            with translated(f"list the files of run {self._run.id}"):
                self._names = [str(name) for name in self._run.get_file_names()]
            if not self._names:
                raise unavailable(f"Azure ML lists no file of run {self._run.id}, not even its log")
        return self._names

    def below(self, folder: str) -> dict[str, str]:
        """Name -> path relative to ``folder``, sorted; the names are safe as paths (see ``files_below``)."""
        return files_below(folder, self._addresses(folder))

    def download(self, folder: str, *, into: Path, most: int = MOST_BYTES) -> None:
        """Download all files below ``folder`` to a local folder, one after the other; at most ``most`` bytes in all."""
        addresses = self._addresses(folder)
        known = self._as_left()
        left = most
        for name, path in sorted(files_below(folder, addresses).items()):
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= _download(name, addresses[name], target, left, known)

    def small_file(self, name: str, *, most: int) -> bytes | None:
        """The content of one file; None when there is none, or when it is larger than ``most`` bytes."""
        return self._content(name, most, self._as_left())

    def _as_left(self) -> dict[str, Any]:
        """The job's own list of its files, by name; empty for jobs that write none, such as a pipeline's own."""
        if self._left is None:
            content = self._content(CHECKSUMS_FILE, _MOST_CHECKSUMS, {})
            try:
                said = json.loads(content or b"{}")
            except (ValueError, RecursionError):  # whoever wrote the training may have written it, or it was cut
                raise unavailable(f"Azure ML gives no readable {CHECKSUMS_FILE} of run {self._run.id}") from None
            self._left = {f"{_OUTPUTS}{name}": each for name, each in said.items()} if isinstance(said, dict) else {}
        return self._left

    def _content(self, name: str, most: int, known: Mapping[str, Any]) -> bytes | None:
        if name not in self.names():
            return None
        address = self._addresses(name).get(name)
        if address is None:
            raise unavailable(f"Azure ML lists {name} of run {self._run.id}, but has no address for it")
        content = b""
        for piece in _pieces(name, address, known):
            content += piece
            if len(content) > most:
                return None
        return content

    def _addresses(self, prefix: str) -> dict[str, str]:
        """Name -> the URL of its content, for the file of that name, or for all below the folder."""
        listed = {name for name in self.names() if name == prefix or name.startswith(f"{prefix}/")}
        with translated(f"find the files of run {self._run.id}"):
            # Public calls tell addresses of logs only. This is the one behind run.download_files().
            place = f"ExperimentRun/{self._run._container}/{prefix}"  # noqa: SLF001
            found = dict(self._run._client.artifacts.get_files_by_artifact_prefix_id(place))  # noqa: SLF001
        found = {name: uri for name, uri in found.items() if name == prefix or name.startswith(f"{prefix}/")}
        if found.keys() != listed:
            there = counted(len(listed), "file")
            reason = f"Azure ML lists {there} of run {self._run.id} under {prefix}, and finds {len(found)}"
            raise unavailable(reason)
        return found


def _download(name: str, address: str, target: Path, most: int, known: Mapping[str, Any]) -> int:
    """Write the content to ``target``; returns its size in bytes."""
    size = 0
    with target.open("wb") as into:
        for piece in _pieces(name, address, known):
            size += len(piece)
            if size > most:
                reason = f"the training left more than {MOST_BYTES >> 30} GiB of files; leave out what it does not need"
                raise PermanentError(reason, code=Code.TRAINING_OUTPUT_REFUSED)
            into.write(piece)
    return size


def _pieces(name: str, address: str, known: Mapping[str, Any]) -> Iterator[bytes]:
    """The stored content, in pieces.

    Raises :class:`TransientError` at the end when it differs from what the storage has, or from what the job wrote.
    """
    if urlsplit(address).scheme != "https":
        raise PermanentError(
            f"Azure ML gives no https address for {shortened(name)}; check the workspace's storage",
            code=Code.BAD_CONFIGURATION,
        )
    transfer = _Transfer(name)
    try:
        with requests.get(address, headers={"Accept-Encoding": "identity"}, stream=True, timeout=_TIMEOUT) as answer:
            transfer.require(answer)
            # Not decoded: length and digest are those of the stored bytes.
            for piece in answer.raw.stream(PIECE, decode_content=False):
                transfer.read(piece)
                yield piece
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        # The raw stream breaks off with urllib3's own. No text of the error: it may quote the address, whose signature
        # opens it.
        raise unavailable(f"{_SERVICE} did not give {shortened(name)}: {type(error).__name__}") from None
    transfer.require_whole()
    transfer.require_as_left(known.get(name))


class _Transfer:
    """What the storage's headers say of a file, and what was received."""

    def __init__(self, name: str) -> None:
        self._name = shortened(name)
        self._size, self._md5, self._sha256 = 0, hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self._headers: dict[str, str] = {}

    def require(self, answer: requests.Response) -> None:
        """Raise :class:`TransientError` for a foreign answer, and for a file that the storage does not return."""
        # Azure Storage puts this header into every answer, whatever its status.
        if "x-ms-request-id" not in answer.headers:
            kind = answer.headers.get("Content-Type", "nothing").partition(";")[0]
            raise stranger(_SERVICE, f"{shortened(kind, 60)} ({answer.status_code})")
        if answer.status_code != 200:
            raise unavailable(f"{_SERVICE} answered {answer.status_code} for {self._name}")
        self._headers = {key.lower(): value for key, value in answer.headers.items()}

    def read(self, piece: bytes) -> None:
        self._size += len(piece)
        self._md5.update(piece)
        self._sha256.update(piece)

    def require_whole(self) -> None:
        """Raise :class:`TransientError` unless length and digests fit; which digests there are is the storage's."""
        came = {
            "content-length": str(self._size),
            "content-md5": base64.b64encode(self._md5.digest()).decode(),
            "content-sha256": base64.b64encode(self._sha256.digest()).decode(),
        }
        for header, value in came.items():
            said = self._headers.get(header)
            if said is not None and said != value:
                reason = f"{_SERVICE} gave other bytes of {self._name} than its {header} says: {value}, not {said}"
                raise unavailable(shortened(reason))

    def require_as_left(self, left: Any) -> None:
        """Raise :class:`TransientError` when the bytes differ from the job's list, as after an upload that was cut."""
        if isinstance(left, dict) and (left.get("size"), left.get("md5")) != (self._size, self._md5.hexdigest()):
            reason = f"{_SERVICE} keeps {self._size} bytes of {self._name}, which differ from what the training wrote"
            raise unavailable(f"{reason}; only another training writes them anew")
