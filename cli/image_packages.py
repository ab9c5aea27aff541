"""Which packages are installed in an image, read from its layers: Python distributions, and Debian's database.

A layer is read once; what was found in it is kept in the cache beside it, by its digest.
"""

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self

from cli.layer_cache import LayerCache
from shared.oci.images import Descriptor
from shared.oci.layers import Readable
from shared.signing.sbom import Package
from shared.values.texts import one_line

_DEBIAN = "var/lib/dpkg/status"
_GONE, _ALL_GONE = ".wh.", ".wh..wh..opq"
_RECIPE = "1"  # count up when the same layer shall be read anew
_PIECE = 64 * 1024
_MOST_METADATA = 4 * 1024 * 1024


class Blobs(Protocol):
    """Gives layers that are not on this machine."""

    def stream_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """A blob of any size, in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContent:
    """What a layer says of packages: distributions by their ``.dist-info`` folder, Debian's list, what it removes."""

    python: Mapping[str, Package] = field(default_factory=dict)
    debian: Sequence[Package] | None = None
    removed: Sequence[str] = ()

    def to_json(self) -> bytes:
        """For the cache."""
        python = {path: _fields(package) for path, package in self.python.items()}
        debian = None if self.debian is None else [_fields(package) for package in self.debian]
        return json.dumps({"python": python, "debian": debian, "removed": list(self.removed)}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """From the cache."""
        said: dict[str, Any] = json.loads(text)
        debian = said["debian"]
        return cls(
            python={path: Package(*fields) for path, fields in said["python"].items()},
            debian=None if debian is None else [Package(*fields) for fields in debian],
            removed=said["removed"],
        )


def installed_packages(
    layers: Iterable[Descriptor], files: Mapping[str, Path], *, blobs: Blobs, repository: str, cache: LayerCache
) -> list[Package]:
    """The packages of an image; layers that are not among ``files`` are read from the repository."""
    python: dict[str, Package] = {}
    debian: Sequence[Package] = ()
    for layer in layers:
        file = files.get(layer.digest)

        def read(layer: Descriptor = layer, file: Path | None = file) -> bytes:
            if file is not None:
                with file.open("rb") as content:
                    return read_layer(content).to_json()
            return read_layer(_Pieces(blobs.stream_blob(repository, layer.digest))).to_json()

        key = f"packages-{layer.digest.removeprefix('sha256:')}-{_RECIPE}"
        found = LayerContent.from_json(cache.note(key, read))
        python = {path: package for path, package in python.items() if not _is_removed(path, found.removed)}
        python |= found.python
        debian = debian if found.debian is None else found.debian
    return sorted({*python.values(), *debian})


def read_layer(content: Readable) -> LayerContent:
    """Read a layer's tar, compressed or not, as a stream; nothing is known of one in another format (zstd)."""
    try:
        return _read_layer(content)
    except tarfile.ReadError:
        return LayerContent()


def _read_layer(content: Readable) -> LayerContent:
    python: dict[str, Package] = {}
    debian: list[Package] | None = None
    removed: list[str] = []
    with tarfile.open(fileobj=content, mode="r|*", bufsize=_PIECE) as archive:  # type: ignore[call-overload]  # asks for more than the read() it uses
        for entry in archive:
            path = PurePosixPath(entry.name.lstrip("./"))
            if path.name.startswith(_GONE):
                removed.append(str(path.parent if path.name == _ALL_GONE else path.parent / path.name[len(_GONE) :]))
            elif not entry.isfile() or entry.size > _MOST_METADATA:
                continue
            elif path.name == "METADATA" and path.parent.suffix == ".dist-info":
                package = _distribution(_read(archive, entry))
                if package is not None:
                    python[str(path.parent)] = package
            elif str(path) == _DEBIAN:
                debian = list(_debian_packages(_read(archive, entry)))
    return LayerContent(python=python, debian=debian, removed=removed)


class _Pieces:
    """Reads what comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, bytearray()

    def read(self, size: int, /) -> bytes:
        """``size`` bytes, less only at the end."""
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken


def _read(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(entry)
    return content.read() if content is not None else b""


def _distribution(metadata: bytes) -> Package | None:
    said = BytesHeaderParser().parsebytes(metadata)
    name, version = said.get("Name"), said.get("Version")
    if not name or not version:
        return None
    licence = said.get("License-Expression") or said.get("License") or ""
    return Package("pypi", one_line(name), one_line(version), one_line(licence) if "\n" not in licence else "")


def _debian_packages(status: bytes) -> Iterator[Package]:
    for paragraph in status.decode("utf-8", "replace").split("\n\n"):
        said = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if "Package" in said and said.get("Status", "").endswith(" installed"):
            yield Package("deb", said["Package"], said.get("Version", ""))


def _is_removed(path: str, removed: Sequence[str]) -> bool:
    return any(path == gone or path.startswith(f"{gone}/") for gone in removed)


def _fields(package: Package) -> list[str]:
    return [package.kind, package.name, package.version, package.licence]
