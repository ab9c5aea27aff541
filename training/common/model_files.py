"""Models of scikit-learn as files that run no code when they are read (skops), and the same bytes for the same model.

A pickle can run anything when it is loaded, so a site lets none leave unless its owner says otherwise. A skops file
names the classes that it is made of, and reading it refuses what is neither trusted by skops itself nor named here.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import skops.io

FILE = "model.skops"

_SCHEMA = "schema.json"
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say


def save(model: Any, folder: Path) -> None:
    """Write the model as ``model.skops`` into a folder.

    skops names what is inside after addresses in memory and notes the time; both are replaced by something repeatable.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        numbers: dict[int, int] = {}
        files: dict[str, str] = {}
        for node in _nodes(schema):
            number = numbers.setdefault(node["__id__"], len(numbers))
            node["__id__"] = number
            if "file" in node:
                name = files.setdefault(node["file"], f"{number}{Path(node['file']).suffix}")
                node["file"] = name
        parts = {new: archive.read(old) for old, new in files.items()}
    parts[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    with zipfile.ZipFile(folder / FILE, "w") as whole:
        for name, content in parts.items():
            whole.writestr(zipfile.ZipInfo(name, _TIME), content)


def load(folder: Path, *, extra_types: Sequence[str] = ()) -> Any:
    """Read what :func:`save` wrote. ``extra_types``: full names of classes to trust besides skops' own list.

    Raises an error of skops when the file has any other class.
    """
    return skops.io.load(folder / FILE, trusted=list(extra_types))


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema, in the order of the document."""
    if isinstance(part, dict):
        if "__id__" in part:
            yield part
        for value in part.values():
            yield from _nodes(value)
    elif isinstance(part, list):
        for value in part:
            yield from _nodes(value)
