"""A folder of built layers: found by a key of their inputs, stored by their digest."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from shared.oci.images import Descriptor, Layer

DEFAULT = Path(".local/cache")

Say = Callable[[str], None]
"""Tells the person at the terminal how far it is."""

Make = Callable[[BinaryIO, Path], Layer]
"""Writes a layer; may use the given folder, which goes away afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedLayer:
    """A layer and the file that holds it."""

    layer: Layer
    file: Path


class LayerCache:
    """Stores layers. Safe when interrupted, and for two processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "layers"

    def get(self, key: str) -> CachedLayer | None:
        """The layer of that key; None when it is missing or damaged."""
        try:
            noted = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            layer = Layer(Descriptor(noted["mediaType"], noted["digest"], noted["size"]), noted["diffId"])
            file = self._file(layer)
            return CachedLayer(layer=layer, file=file) if file.stat().st_size == layer.descriptor.size else None
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def get_or_make(self, key: str, make: Make) -> CachedLayer:
        """The layer of that key, built now when it is missing."""
        return self.get(key) or self._make(key, make)

    def note(self, key: str, make: Callable[[], bytes]) -> bytes:
        """A small text about layers that is kept beside them, made now when it is missing."""
        file = self._folder / f"{key}.txt"
        try:
            return file.read_bytes()
        except FileNotFoundError:
            content = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix="making-") as name:
            unfinished = Path(name) / "note"
            unfinished.write_bytes(content)
            unfinished.replace(file)
        return content

    def _make(self, key: str, make: Make) -> CachedLayer:
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix="making-") as name:
            work = Path(name)
            unfinished, note = work / "layer", work / "note"
            with unfinished.open("wb") as into:
                layer = make(into, work)
            note.write_text(json.dumps(layer.descriptor.to_json() | {"diffId": layer.diff_id}), encoding="utf-8")
            file = self._file(layer)
            unfinished.replace(file)
            note.replace(self._folder / f"{key}.json")  # last: whoever sees it finds the file
        return CachedLayer(layer=layer, file=file)

    def _file(self, layer: Layer) -> Path:
        return self._folder / f"{layer.descriptor.digest.removeprefix('sha256:')}.tar.gz"
