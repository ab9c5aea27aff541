"""skops files: an archive with ``schema.json`` and arrays, whose every type is on a list of exact names.

The list is that of ``skops.io`` (``trusted_types.txt`` holds it) and what the site's policy adds. skops checks it again
when the model is loaded; here it bounds what a file can be before it leaves.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from site_agent.job.guard.arrays import npy, recognise_npz
from site_agent.job.guard.pieces import Collected, Piece, Recognised, collect, parsed_json, place
from site_agent.job.guard.spans import HeldBackError, Span
from site_agent.job.guard.zips import Member, members

SCHEMA: Final = "schema.json"
_LARGEST_SCHEMA: Final = 128 * 1024 * 1024
_FILE: Final = re.compile(r"[0-9a-f_-]{1,64}\.(?:npy|npz|bin)")
_LOADER_NAMES: Final = (
    "CachedNode DictNode DefaultDictNode ListNode SetNode TupleNode BytesNode BytearrayNode SliceNode FunctionNode "
    "PartialNode TypeNode ObjectNode JsonNode NdArrayNode MaskedArrayNode DTypeNode RandomStateNode "
    "RandomGeneratorNode SparseMatrixNode LossNode TreeNode QuantileForestNode"
)
_LOADERS: Final = frozenset(_LOADER_NAMES.split())
_FIELD_NAMES: Final = (
    "__class__ __module__ __loader__ __id__ __reduce__ content key_types is_json type file shape protocol "
    "_skops_version"
)
_FIELDS: Final = frozenset(_FIELD_NAMES.split())
_NO_TYPE: Final = frozenset({"CachedNode"})


@cache
def trusted_types() -> frozenset[str]:
    """Exact names of the types and functions that a model may hold."""
    return listed_names("trusted_types.txt")


def listed_names(file: str) -> frozenset[str]:
    """The names in a file of this package, one a line."""
    lines = Path(__file__).with_name(file).read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def recognise_skops(span: Span, *, extra_types: Collection[str], most: int) -> Recognised:
    """Check an archive that has a ``schema.json``; raises :class:`HeldBackError`."""
    archive = {member.name: member for member in members(span, most=most)}
    schema = archive.pop(SCHEMA)
    if schema.size > _LARGEST_SCHEMA:
        raise HeldBackError(f"its schema has more than {_LARGEST_SCHEMA} bytes")
    text = schema.unpacked()
    tree = parsed_json(text.read())
    found = Recognised("skops", "every type is on the list of exact names", [Piece("schema", text)], loadable="skops")
    files = _check(tree, trusted_types() | frozenset(extra_types), found)
    if files.keys() != archive.keys():
        raise HeldBackError("the archive has members that the model does not refer to, or lacks some")
    for name, where in files.items():
        _add_member(found, archive[name], where, most=most)
    return found


def _check(tree: Any, allowed: Collection[str], found: Recognised) -> dict[str, str]:
    """Check every node; returns the place of each file that they refer to."""
    files: dict[str, str] = {}
    texts = Collected()
    for node, where in _nodes(tree, (), 0):
        unknown = node.keys() - _FIELDS
        loader = node["__loader__"]
        if unknown or not isinstance(loader, str) or loader not in _LOADERS:
            raise HeldBackError("it has parts of a kind that is not read here")
        if loader not in _NO_TYPE and f"{node.get('__module__')}.{node.get('__class__')}" not in allowed:
            raise HeldBackError(_not_allowed(node))
        if isinstance(node.get("file"), str):
            if not _FILE.fullmatch(node["file"]):
                raise HeldBackError("it refers to a file whose name skops does not write")
            files.setdefault(node["file"], place(*where))
        if loader == "JsonNode":
            collect(_json_of(node), texts, place(*where))
    found.pieces += texts.pieces("values")
    found.strings += [*_names(tree), *texts.strings]
    return files


def _not_allowed(node: Mapping[str, Any]) -> str:
    name = f"{node.get('__module__')}.{node.get('__class__')}"
    shown = name if re.fullmatch(r"[A-Za-z_][A-Za-z_.0-9]{0,99}", name) else "a type with an unusual name"
    return f"it holds {shown}, which is neither trusted nor in extra_types of the site's policy"


def _json_of(node: Mapping[str, Any]) -> Any:
    content = node.get("content")
    if not isinstance(content, str):
        raise HeldBackError("it has parts of a kind that is not read here")
    try:
        return json.loads(content)
    except RecursionError:
        raise HeldBackError("its parts are nested too deeply") from None
    except ValueError:
        return content


def _nodes(value: Any, where: tuple[str, ...], depth: int) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    if depth > 400:
        raise HeldBackError("its parts are nested too deeply")
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each, where, depth + 1)
    elif isinstance(value, dict):
        if "__loader__" in value:
            yield value, where
        for name, each in value.items():
            # Only what a DictNode holds has a name of its own; the other names are skops's.
            inner = where if "__loader__" in value or name in _FIELDS else (*where, name)
            yield from _nodes(each, inner, depth + 1)


def _names(value: Any) -> Iterator[str]:
    """The names in dictionaries, such as the words of a vocabulary."""
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, list):
            stack += each
        elif isinstance(each, dict):
            yield from (name for name in each if name not in _FIELDS)
            stack += each.values()


def _add_member(found: Recognised, member: Member, where: str, *, most: int) -> None:
    content = member.unpacked()
    if member.name.endswith(".npy"):
        piece, names = npy(content, where or "array")
        found.pieces.append(piece)
        found.strings += names
    elif member.name.endswith(".npz"):
        inner = recognise_npz(content, most=most)
        found.pieces += [
            Piece(f"{where}.{each.where}", each.content, each.dtype, each.shape, each.fortran) for each in inner.pieces
        ]
    else:
        found.pieces.append(Piece(f"{where}.bytes", content))
