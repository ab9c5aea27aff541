"""numpy's and safetensors' files: arrays whose header is exact, without objects and without bytes to spare.

Sources: numpy.lib.format, "Format Version 1.0"; https://github.com/huggingface/safetensors, "Format".
"""

import io
import re
from typing import Any, Final

import numpy as np

from site_agent.job.guard.pieces import Collected, Piece, Recognised, collect, count_of, parsed_json, place
from site_agent.job.guard.spans import HeldBackError, Span
from site_agent.job.guard.zips import members

NPY_MAGIC: Final = b"\x93NUMPY"
_LONGEST_NPY_HEADER: Final = 16_384
_NPY_HEADER: Final = re.compile(
    rb"\{'descr': (?:'[<>|=A-Za-z0-9\[\]]{1,40}'|\[[ (),'<>|A-Za-z0-9_\[\]-]{1,8000}\]), "
    rb"'fortran_order': (?:True|False), 'shape': \((?:[0-9]{1,18}, ?)*(?:[0-9]{1,18})?\), \} *\n"
)
_LONGEST_SAFETENSORS_HEADER: Final = 4 * 1024 * 1024
_LONGEST_METADATA: Final = 4096
_SAFE_DTYPES: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}


def npy(span: Span, where: str) -> tuple[Piece, list[str]]:
    """The array of a ``.npy`` file, and the names of its fields; raises :class:`HeldBackError`."""
    head = span.read(0, _LONGEST_NPY_HEADER)
    file = io.BytesIO(head)
    begin = 10 if head[6:8] == b"\x01\x00" else 12
    text = head[begin : begin + int.from_bytes(head[8:begin], "little")]
    # Before numpy evaluates it: a literal of Python could hold comments too.
    if head[6:8] not in (b"\x01\x00", b"\x02\x00") or not _NPY_HEADER.fullmatch(text):
        raise HeldBackError("an array in it has a header that numpy does not write")
    try:
        read = np.lib.format.read_array_header_1_0 if begin == 10 else np.lib.format.read_array_header_2_0
        np.lib.format.read_magic(file)
        shape, fortran, dtype = read(file, max_header_size=_LONGEST_NPY_HEADER)
    except (ValueError, TypeError, SyntaxError):
        raise HeldBackError("an array in it has a header that numpy does not understand") from None
    if dtype.hasobject:
        raise HeldBackError("an array in it holds Python objects")
    data = span.part(file.tell(), span.length - file.tell())
    if data.length != dtype.itemsize * count_of(shape):
        raise HeldBackError("an array in it has other bytes than its header says")
    return Piece(where, data, dtype.str, tuple(shape), fortran), list(dtype.names or ())


def recognise_npy(span: Span) -> Recognised:
    """A ``.npy`` file."""
    piece, names = npy(span, "array")
    return Recognised("npy", "numpy array without objects", [piece], names)


def recognise_npz(span: Span, *, most: int) -> Recognised:
    """A ``.npz`` file: an archive with nothing but arrays."""
    found = Recognised("npz", "numpy arrays without objects")
    for member in members(span, most=most):
        stem, dot, ending = member.name.rpartition(".")
        if (dot, ending) != (".", "npy"):
            raise HeldBackError("the archive has members that are not arrays")
        piece, names = npy(member.unpacked(), place(stem))
        found.pieces.append(piece)
        found.strings += [stem, *names]
    return found


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON header, and the header."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 0 < length <= min(_LONGEST_SAFETENSORS_HEADER, size - 8)


def recognise_safetensors(span: Span) -> Recognised:
    """Tensors that lie one after the other and fill the file."""
    length = int.from_bytes(span.read(0, 8), "little")
    header = parsed_json(span.read(8, length))
    if not isinstance(header, dict):
        raise HeldBackError("its header is not an object")
    found = Recognised("safetensors", "tensors that fill the file")
    metadata = header.pop("__metadata__", {})
    texts = Collected()
    collect(metadata, texts)
    if not isinstance(metadata, dict) or sum(map(len, texts.strings)) > _LONGEST_METADATA or texts.values:
        raise HeldBackError(f"its metadata are more than {_LONGEST_METADATA} characters of text")
    found.strings += [*texts.strings, *header]
    expected = 0
    for name, entry in sorted(header.items(), key=lambda item: _begin(item[1])):
        piece, expected = _tensor(span, name, entry, data=8 + length, expected=expected)
        found.pieces.append(piece)
    if 8 + length + expected != span.length:
        raise HeldBackError("bytes follow the last tensor")
    return found


def _begin(entry: Any) -> int:
    try:
        return int(entry["data_offsets"][0])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise HeldBackError("its header is not that of safetensors") from None


def _tensor(span: Span, name: str, entry: Any, *, data: int, expected: int) -> tuple[Piece, int]:
    try:
        dtype, shape, (begin, end) = _SAFE_DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        known = entry.keys() == {"dtype", "shape", "data_offsets"} and type(begin) is type(end) is int
    except (KeyError, TypeError, ValueError):
        raise HeldBackError("its header is not that of safetensors") from None
    if not known or begin != expected:
        raise HeldBackError("there are bytes between its tensors, or its header has additions")
    if end - begin != np.dtype(dtype).itemsize * count_of(shape):
        raise HeldBackError("a tensor in it has other bytes than its header says")
    return Piece(place(*name.split(".")), span.part(data + begin, end - begin), dtype, tuple(shape)), end
