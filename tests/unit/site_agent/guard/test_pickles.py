"""Pickles are followed without being loaded; exploits, however they are written, hold the file back."""

import contextlib
import io
import os
import pickle
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from site_agent.job.guard.formats import FormatRules, recognise
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.spans import HeldBackError, Span

RULES = FormatRules(most=1 << 24, pickles=True)


def recognised(content: bytes, rules: FormatRules = RULES) -> Recognised:
    file = os.fdopen(os.memfd_create("file"), "w+b")
    file.write(content)
    file.flush()
    return recognise(Span(file.fileno(), 0, len(content), file), rules)


def held_back(content: bytes, rules: FormatRules = RULES) -> str:
    with pytest.raises(HeldBackError) as caught:
        recognised(content, rules)
    return str(caught.value)


def dumped(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, **options)
    return file.getvalue()


class Called:
    """What a pickle of it makes its reader call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def marked(folder: Path) -> Path:
    return folder / "exploited"


PLAIN = {"weights": np.linspace(-1, 1, 12).reshape(3, 4), "names": ["a", "b"], "n": 3, "none": None, "t": (1, 2, 3, 4)}


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_are_recognised(protocol: int) -> None:
    found = recognised(pickle.dumps(PLAIN, protocol=protocol))

    assert found.kind == "pickle"
    assert {"weights", "names", "a", "b"} <= set(found.strings)
    assert any(b"".join(each.chunks()) == PLAIN["weights"].tobytes() for each in found.pieces)  # type: ignore[attr-defined]


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_files_of_joblib_are_read_to_their_arrays(compress: Any) -> None:
    values = {"a": np.arange(20.0), "b": np.asfortranarray(np.ones((4, 5), np.float32)), "c": OrderedDict(x=1)}

    found = recognised(dumped(values, compress=compress))

    shapes = {(each.dtype, each.shape, each.fortran) for each in found.pieces if each.where == "array"}
    assert shapes == {("<f8", (20,), False), ("<f4", (4, 5), True)}


def test_arrays_of_objects_within_joblib_are_followed_too() -> None:
    found = recognised(dumped({"objects": np.array(["red", None, 2.5], dtype=object)}))

    assert "red" in found.strings


def exploits(folder: Path) -> dict[str, bytes]:
    command = f"touch {marked(folder)}"
    inner = Called(os.system, command)
    objects = np.array([inner, 1], dtype=object)
    return {
        "a call": pickle.dumps(inner),
        "an old global": b"cos\nsystem\n(S'" + command.encode() + b"'\ntR.",
        "an instance": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "an object": b"(cos\nsystem\nS'" + command.encode() + b"'\no.",
        "deep inside": pickle.dumps({"model": [{"a": (inner,)}]}),
        "an attribute of builtins": pickle.dumps(Called(eval, "1+1")),
        "getattr": pickle.dumps(Called(getattr, "x", "format")),
        "a prefix that is allowed": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        "a module within one that is allowed": b"csklearn.externals\nos.system\n(S'id'\ntR.",
        "a dotted name": b"\x80\x04\x8c\x0csklearn.base\x8c\x0bos.system.x\x93.",
        "names built from parts": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.",
        "an array of objects": dumped(objects),
        "an array of objects in a wrapper": dumped({"a": np.arange(3.0), "b": objects}),
        "compressed": dumped(inner, compress=3),
        "within numpy's own": pickle.dumps(objects),
        "an extension": b"\x80\x02\x82\x01.",
        "a persistent reference": b"\x80\x04\x8c\x01xQ.",
        "a code object": b"cmarshal\nloads\n(S'x'\ntR.",
        "a call of a call": b"c__builtin__\ngetattr\n(cos\npopen\nS'read'\ntR.",
    }


@pytest.mark.parametrize("name", exploits(Path("/nowhere")))
def test_an_exploit_is_held_back_and_not_run(tmp_path: Path, name: str) -> None:
    held_back(exploits(tmp_path)[name])

    assert not marked(tmp_path).exists()


def test_the_reason_names_the_global() -> None:
    assert "posix.system" in held_back(pickle.dumps(Called(os.system, "true")))
    assert "17.99" not in held_back(b"cos\n17.99,10.38\n.")


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(PLAIN) + b"17.99",
        pickle.dumps(PLAIN)[:-1],
        dumped(PLAIN) + b"17.99",
        dumped(PLAIN, compress=3) + b"17.99",
        zlib.compress(b"no pickle at all"),
        b"\x80\x04",
        b"\x80\x04.",
        b"\x80\x04K\x01b.",
        b"\x80\x04h\x07.",
        b"\x80\x04)R.",
        b"\x80\x04" + b"\x8a\xc8" + b"\x7f" * 200 + b".",
    ],
)
def test_what_is_not_a_whole_pickle_is_held_back(content: bytes) -> None:
    held_back(content)


def test_padding_within_joblib_files_holds_no_data() -> None:
    content = dumped({"a": np.arange(20.0), "b": np.arange(20.0)})
    start = content.find(np.arange(20.0).tobytes())
    assert content[start - 1] == 0xFF

    held_back(content[: start - 1] + b"7" + content[start:])


def test_without_leave_of_the_site_no_pickle_is_read() -> None:
    assert "policy" in held_back(pickle.dumps(PLAIN), FormatRules(most=1 << 20))


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_a_pickle_is_followed_or_held_back(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(HeldBackError):
        recognised(bytes(content))


SAMPLES = [pickle.dumps(PLAIN), dumped(PLAIN), dumped({"o": np.array(["x", 1], dtype=object)}), pickle.dumps(PLAIN, 2)]
