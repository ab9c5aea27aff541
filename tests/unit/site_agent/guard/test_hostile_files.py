"""Files made to break who looks at them: whatever they say of themselves, they are looked at or held back."""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from site_agent.job.guard import pieces
from site_agent.job.guard.findings import SHAPES, Finding
from site_agent.job.guard.formats import FormatRules, recognise
from site_agent.job.guard.pieces import Piece, Recognised, count_of
from site_agent.job.guard.rows import look, sought
from site_agent.job.guard.samples import Samples
from site_agent.job.guard.shapes import scales_of
from site_agent.job.guard.spans import HeldBackError, Span
from tests.unit.site_agent.guard.test_formats import a_node, a_safetensors_file, a_skops_file

RULES = FormatRules(most=1 << 28, pickles=True)
MATRIX = np.random.default_rng(1).normal(size=(50, 3))
WRAPPER = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("


@contextmanager
def recognised(content: bytes) -> Iterator[Recognised]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield recognise(Span(file.fileno(), 0, os.fstat(file.fileno()).st_size), RULES)


def looked_at(content: bytes) -> list[Finding]:
    """Recognise the file and look for rows in it, as the guard does."""
    samples = Samples(rows=50, names=["a", "b", "c"], matrix=MATRIX)
    with recognised(content) as found:
        return look("file", found, sought(samples, least_rows=10), scales_of(samples), least_rows=10)


def text(words: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(words)) + words


def dtype(name: bytes) -> bytes:
    return b"cnumpy\ndtype\n(" + text(name) + b"I0\nI1\ntR"


def wrapped(shape: bytes, name: bytes = b"f8") -> bytes:
    """joblib's wrapper of an array, as instructions of a pickle."""
    state = text(b"shape") + shape + text(b"dtype") + dtype(name) + text(b"order") + text(b"C")
    return WRAPPER + state + b"ub"


def ndarray(shape: bytes, data: bytes) -> bytes:
    state = b"(I1\n" + shape + dtype(b"f8") + b"\x89C" + bytes([len(data)]) + data + b"tb."
    return b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nI0\n\x85C\x01btR" + state


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx(dims: list[int], kind: int, raw: bytes) -> bytes:
    sizes = b"".join(b"\x08" + varint(each % (1 << 64)) for each in dims)
    tensor = sizes + b"\x10" + varint(kind) + field(9, raw)
    return b"\x08\x07" + field(7, field(1, field(4, b"MatMul")) + field(5, tensor))


def npy(description: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def tensor(shape: list[Any], offsets: list[Any]) -> bytes:
    return a_safetensors_file({"w": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}, bytes(4))


HELD_BACK = {
    "pickle: an infinite dimension": b"\x80\x04" + wrapped(b"(Finf\nt") + b".",
    "pickle: a million dimensions": b"\x80\x04" + wrapped(b"(" + b"K\xff" * 10_000 + b"t") + b".",
    "pickle: a type that is no Python": b"\x80\x04" + wrapped(b"(I1\nt", b"(2,2)f8,(") + b".",
    "pickle: arrays of objects in each other": b"\x80\x04" + wrapped(b")", b"O8") * 3000 + b"N." * 3001,
    "skops: JSON in JSON, nested": a_skops_file({"x": a_node("builtins.str", "JsonNode", "[" * 100_000)}),
    "numpy: a size beyond 64 bits": npy("<f8", "(4294967296, 4294967296)"),
    "safetensors: places that are no whole numbers": tensor([1], [0.0, 4.0]),
    "safetensors: an infinite place": tensor([1], [float("inf"), float("inf")]),
    "safetensors: a million dimensions": tensor([1] * 10_000, [0, 4]),
    "onnx: a million dimensions": onnx([1 << 62] * 10_000, 1, bytes(8)),
    "onnx: negative sizes": onnx([3, -1], 1, bytes(80)),
    "yaml: nested": b"a: " + b"[" * 100_000,
    "json: many lists": b'{"learner": [' + b"[]," * 100_000 + b"1]}",
    "ubjson: many lists": b"{i\x07learner[" + b"[]" * 100_000 + b"]}",
    "lightgbm: many lines": b"tree\nversion=v4\n" + b"\n" * 100_000,
    "lightgbm: a line without an end": b"tree\nversion=v4\nleaf_value=" + b"0 " * 10_000_000,
}


@pytest.mark.parametrize("name", HELD_BACK)
def test_it_is_held_back_at_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(pieces, "_MOST_MEMORY", 1 << 22)  # of which a tenth is in the file
    with pytest.raises(HeldBackError):
        looked_at(HELD_BACK[name])


LOOKED_AT = {
    "pickle: bytes that are no numbers": ndarray(b"(I2\nt", bytes(range(13))),
    "pickle: a shape of texts": ndarray(b"(" + text(b"a") + b"t", bytes(16)),
    "pickle: negative sizes": ndarray(b"(I3\nI-3\nt", bytes(72)),
    "onnx: bytes that are no numbers": onnx([3], 11, bytes(range(1, 14))),
    "numpy: texts without letters": npy("<U0", "(99999999,)"),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_it_is_looked_at_whatever_it_says_of_its_shape(name: str) -> None:
    looked_at(LOOKED_AT[name])


def test_rows_are_found_behind_a_shape_that_is_a_lie() -> None:
    """A shape that does not fit would hide an array from whoever looks for arrays as wide as the data."""
    scaled = ((MATRIX - MATRIX.mean(axis=0)) / MATRIX.std(axis=0)).tobytes()

    for dims in ([50, 3], [7, 11]):
        assert [each.check for each in looked_at(onnx(dims, 11, scaled))] == [SHAPES], dims


def test_what_a_comment_of_yaml_says_is_looked_at_too() -> None:
    with recognised(b"# Mueller, 17.99\nalpha: 0.5  # Schmidt\nname: 'not # one'\n") as found:
        assert {"Mueller", "17.99", "Schmidt", "alpha", "not # one"} <= set(found.strings)
    for text in (b"a: Mueller\na: 1\n", b"b:\n- {a: 1, a: 2}\n", b"a: 1\n# " + b"x" * 300):
        with pytest.raises(HeldBackError):
            looked_at(text)


def test_what_does_not_fit_is_bytes_or_a_list() -> None:
    assert Piece("", bytes(13), "<f8", (2,)).dtype == ""
    assert Piece("", bytes(16), "<f8", (5, 7)).shape == (2,)
    assert Piece("", bytes(16), "<f8", (1, 2)).shape == (1, 2)


@pytest.mark.parametrize("shape", [(1.5,), ("a",), (-1, -8), (True,), (1 << 63,), (1,) * 65])
def test_what_is_no_shape_is_held_back(shape: tuple[Any, ...]) -> None:
    with pytest.raises(HeldBackError):
        count_of(shape)
