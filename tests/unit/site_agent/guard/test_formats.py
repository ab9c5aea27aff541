"""Files that may leave are recognised by content, and tricks with the formats hold a file back."""

import contextlib
import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from site_agent.job.guard.formats import FormatRules, recognise
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.spans import HeldBackError, Span
from tests.support.egress import an_archive, an_array

RULES = FormatRules(most=1 << 24)
PLAIN = an_array(np.linspace(-1, 1, 40).reshape(4, 10))


def recognised(content: bytes, rules: FormatRules = RULES) -> Recognised:
    file = os.fdopen(os.memfd_create("file"), "w+b")
    file.write(content)
    file.flush()
    return recognise(Span(file.fileno(), 0, len(content), file), rules)


def held_back(content: bytes, rules: FormatRules = RULES) -> str:
    with pytest.raises(HeldBackError) as caught:
        recognised(content, rules)
    return str(caught.value)


def a_node(kind: str, loader: str, content: Any, **more: Any) -> dict[str, Any]:
    module, _, name = kind.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, "content": content} | more


def an_array_node(file: str) -> dict[str, Any]:
    return a_node("numpy.ndarray", "NdArrayNode", None, type="numpy", file=file)


def a_dictionary(content: dict[str, Any]) -> dict[str, Any]:
    return a_node("builtins.dict", "DictNode", content, key_types=a_node("builtins.list", "ListNode", []))


def a_skops_file(attributes: dict[str, Any], members: dict[str, bytes] | None = None, kind: str = "") -> bytes:
    model = a_node(kind or "sklearn.linear_model._logistic.LogisticRegression", "ObjectNode", a_dictionary(attributes))
    schema = json.dumps(model | {"protocol": 2, "_skops_version": "0.16.0"}).encode()
    return an_archive({**(members or {}), "schema.json": schema})


HONEST = a_skops_file({"coef_": an_array_node("12.npy")}, {"12.npy": PLAIN})


def a_safetensors_file(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PLAIN, "npy"),
        (an_array(np.asfortranarray(np.ones((3, 4)))), "npy"),
        (an_array(np.array(["a", "b"])), "npy"),
        (an_array(np.zeros(3, [("x", "<f8"), ("y", "<i4")])), "npy"),
        (an_archive({"a.npy": PLAIN}), "npz"),
        (an_archive({"a.npy": PLAIN}, method=zipfile.ZIP_DEFLATED), "npz"),
        (HONEST, "skops"),
        (b'{"intercept": 1.5, "coefficients": [1, 2, 3], "names": ["a", "b"]}', "json"),
        (b"[1, 2, 3]", "json"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "csv"),
        (b"intercept: 1.5\ncoefficients: [1, 2, 3]\n", "yaml"),
        (a_safetensors_file({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "safetensors"),
    ],
)
def test_a_file_is_what_its_content_is(content: bytes, kind: str) -> None:
    assert recognised(content).kind == kind


def test_numpy_archives_of_numpy_itself_are_read() -> None:
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        write(file, first=np.arange(5.0), second=np.ones((2, 3)))

        found = recognised(file.getvalue())

        assert [(each.where, each.shape) for each in found.pieces] == [("first", (5,)), ("second", (2, 3))]
        assert b"".join(found.pieces[0].chunks()) == np.arange(5.0).tobytes()


@pytest.mark.parametrize("content", [PLAIN, HONEST, an_archive({"a.npy": PLAIN})])
@given(extra=st.binary(min_size=1, max_size=64), behind=st.booleans())
def test_nothing_may_stand_before_or_behind_a_file(content: bytes, extra: bytes, *, behind: bool) -> None:
    # What begins with other bytes may be of another kind by chance, but never of this one.
    try:
        found = recognised(content + extra if behind else extra + content)
    except HeldBackError:
        return
    assert not behind
    assert found.kind not in ("npy", "skops", "npz")


@given(st.data())
def test_no_bytes_may_be_hidden_between_the_members_of_an_archive(data: st.DataObject) -> None:
    """Whatever is put where, the archive is held back: its parts say where they begin."""
    content = an_archive({"a.npy": PLAIN, "b.npy": PLAIN})
    place = data.draw(st.integers(0, len(content)))
    extra = data.draw(st.binary(min_size=1, max_size=30))

    try:
        found = recognised(content[:place] + extra + content[place:])
    except HeldBackError:
        return
    assert found.kind not in ("npz", "skops")


def _with_comment() -> bytes:
    file = io.BytesIO(an_archive({"a.npy": PLAIN}))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"17.99,10.38"
    return file.getvalue()


def _with_remark_on_a_member() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo("a.npy")
        member.comment = b"17.99,10.38"
        archive.writestr(member, PLAIN)
    return file.getvalue()


def _with_more_in_a_deflated_member() -> bytes:
    """Bytes behind the end of the deflated stream, within what the archive says is the member."""
    deflated = zlib.compressobj(wbits=-15)
    stream = deflated.compress(PLAIN) + deflated.flush() + b"17.99,10.38"
    crc, name = zlib.crc32(PLAIN), b"a.npy"
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(stream), len(PLAIN), len(name), 0)
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(stream), len(PLAIN), len(name), 0, 0, 0, 0, 0, 0
    )
    body = local + name + stream
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central) + len(name), len(body), 0)
    return body + central + name + end


def _two_members_of_one_name() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", PLAIN)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.npy", PLAIN)
    return file.getvalue()


def _a_bomb() -> bytes:
    return an_archive({"a.npy": an_array(np.zeros(1 << 22))}, method=zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    "content",
    [
        _with_comment(),
        _with_remark_on_a_member(),
        _with_more_in_a_deflated_member(),
        _two_members_of_one_name(),
        _a_bomb(),
        an_archive({"../a.npy": PLAIN}),
        an_archive({"/etc/a.npy": PLAIN}),
        an_archive({"17.99,10.38.npy": PLAIN}),
        an_archive({"a.npy": PLAIN, "notes.txt": b"17.99"}),
        an_archive({"a.npy": PLAIN}, method=zipfile.ZIP_BZIP2),
        an_archive({}),
        PLAIN[:-1],
        HONEST[:-1],
    ],
)
def test_tricks_with_archives_are_held_back(content: bytes) -> None:
    held_back(content)


@pytest.mark.parametrize(
    "content",
    [
        a_skops_file({}, {"12.npy": PLAIN}),
        a_skops_file({"coef_": an_array_node("13.npy")}, {"12.npy": PLAIN}),
        a_skops_file({"coef_": an_array_node("../x.npy")}, {}),
        a_skops_file({}, kind="builtins.eval"),
        a_skops_file({}, kind="os.system"),
        a_skops_file({"f": a_node("numpy.testing._private.utils.runstring", "FunctionNode", None)}),
        a_skops_file({"m": a_node("sklearn.svm._classes.SVC", "MethodNode", {"obj": {}, "func": "fit"})}),
        a_skops_file({"o": a_node("operator.attrgetter", "OperatorFuncNode", None, attrs=[])}),
        a_skops_file({"p": a_node("builtins.str", "JsonNode", '"x"', note="17.99,10.38")}),
        a_skops_file({"p": {"__loader__": ["JsonNode"], "content": "x"}}),
        an_archive({"schema.json": b'{"a": 1, "a": 2}'}),
        an_archive({"schema.json": b"not JSON"}),
        an_archive({"schema.json": b"[" * 100_000}),
    ],
)
def test_skops_files_with_more_than_a_model_are_held_back(content: bytes) -> None:
    held_back(content)


def test_a_type_that_the_policy_adds_is_taken_by_its_exact_name() -> None:
    content = a_skops_file({}, kind="my_models.Special")

    assert recognised(content, FormatRules(most=1 << 20, extra_types=("my_models.Special",))).kind == "skops"
    held_back(content, FormatRules(most=1 << 20, extra_types=("my_models",)))
    assert "my_models.Special" in held_back(content)


def test_a_reason_never_shows_a_name_that_could_be_data() -> None:
    assert "17.99" not in held_back(a_skops_file({}, kind="x.17.99,10.38"))


@pytest.mark.parametrize(
    "content",
    [
        an_array(np.ones(3))[:-8],
        an_array(np.ones(3)) + b"12345678",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': broken}",
        b"\x93NUMPY\x09\x00\x10\x00" + bytes(100),
        PLAIN.replace(b"'shape': (4, 10), }", b"'shape': (4, 10), }#17.9", 1).replace(b"#17.9     ", b"#17.9", 1),
    ],
)
def test_arrays_with_other_bytes_than_they_say_are_held_back(content: bytes) -> None:
    held_back(content)


def test_arrays_of_objects_are_held_back() -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)

    held_back(file.getvalue())


W = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        a_safetensors_file({"w": W}, bytes(9)),
        a_safetensors_file({"w": W}, bytes(7)),
        a_safetensors_file({"w": W, "v": W | {"data_offsets": [12, 20]}}, bytes(20)),
        a_safetensors_file({"w": W, "v": W | {"data_offsets": [4, 12]}}, bytes(12)),
        a_safetensors_file({"w": W | {"note": "17.99"}}, bytes(8)),
        a_safetensors_file({"w": W | {"dtype": "F128"}}, bytes(8)),
        a_safetensors_file({"w": W | {"shape": [-2, -1]}}, bytes(8)),
        a_safetensors_file({"w": W, "__metadata__": {"note": "x" * 5000}}, bytes(8)),
        a_safetensors_file({"w": W, "__metadata__": {"note": [1, 2]}}, bytes(8)),
        a_safetensors_file(b'{"w": 1, "w": 2}', b""),
        a_safetensors_file(b"{", b""),
    ],
)
def test_safetensors_with_gaps_or_additions_are_held_back(content: bytes) -> None:
    held_back(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": "' + b"x" * 300 + b'"}',
        b"plain words, which are YAML too",
        b"a: &x [1, 2]\nb: *x\n",
        b"a: !!python/object/apply:os.system [id]\n",
        b"a: !note 17.99\n",
        b"\xff\xfe17.99",
        b"\x00\x00\x00",
        b'{"weights": [' + b"1.5," * 70_000 + b"1.5]}",
        b"1.5,2.5\n" * 40_000,
        b"<html></html>",
        b"#!/bin/sh\nid\n",
        b"%PDF-1.7\n",
        b"\x7fELF" + bytes(60),
        b"GIF89a" + bytes(60),
        b"\xff\xd8\xff\xe0" + bytes(60),
        b"SQLite format 3\x00" + bytes(60),
        b"PAR1" + bytes(60),
        b'{"a": 1' + b"0" * 50 + b"}",
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_texts_that_are_more_than_coefficients_are_held_back(content: bytes) -> None:
    held_back(content)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_are_recognised_or_held_back(content: bytes) -> None:
    with contextlib.suppress(HeldBackError):
        recognised(content, FormatRules(most=1 << 20, pickles=True))


@pytest.mark.parametrize("content", [PLAIN, HONEST, an_archive({"a.npy": PLAIN}, method=zipfile.ZIP_DEFLATED)])
@settings(max_examples=200)
@given(data=st.data())
def test_a_damaged_file_is_recognised_or_held_back(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    with contextlib.suppress(HeldBackError):
        recognised(cut, FormatRules(most=1 << 20, pickles=True))


@pytest.mark.parametrize("name", ["lightgbm.txt", "xgboost.json", "xgboost.ubj"])
def test_boosters_are_read_whole(name: str) -> None:
    folder = Path(__file__).parents[3] / "integration/egress_guard/models"
    content = (folder / name).read_bytes()

    found = recognised(content)

    assert found.pieces
    held_back(content + b"\nnote=17.99\n")
    held_back(content[: len(content) // 3])


@pytest.mark.parametrize(
    "line", [b"note=17.99 10.38", b"17.99,10.38", b"[note 17.99]", b"# 17.99", b"leaf_value=x y", b"Tree:17.99"]
)
def test_lines_that_lightgbm_does_not_write_are_held_back(line: bytes) -> None:
    folder = Path(__file__).parents[3] / "integration/egress_guard/models"
    content = (folder / "lightgbm.txt").read_bytes().replace(b"end of trees", line + b"\nend of trees", 1)

    held_back(content)
