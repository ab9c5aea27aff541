import gzip
import hashlib
import io
import os
import random
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci.images import Layer
from shared.oci.layers import (
    FAST,
    SMALL,
    STORE,
    Entry,
    FileDigest,
    Packing,
    compress_layer,
    folder_entries,
    model_level,
    write_layer,
)
from shared.oci.media_types import OCI_LAYER, OCI_LAYER_GZIP
from tests.support.examples import examples

Files = dict[str, bytes]

_NAME = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
)
_NAMES = _NAME.filter(lambda name: name not in {".", ".."} and len(name.encode()) <= 255)
_FILES = st.dictionaries(_NAMES, st.binary(max_size=2000), max_size=6)


def layer_of(files: Files, *, order: int = 0, level: int = FAST) -> tuple[bytes, Layer]:
    """Write the files in an order of its own, with times and modes of its own, and make a layer of them."""
    with TemporaryDirectory() as folder:
        names = list(files)
        random.Random(order).shuffle(names)
        for number, name in enumerate(names):
            path = Path(folder, "root", "part", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
            path.chmod(0o600 if order else 0o664)
            os.utime(path, (order * 1000 + number, order * 1000))
        Path(folder, "root").mkdir(exist_ok=True)
        into = io.BytesIO()
        layer = write_layer(folder_entries(Path(folder, "root"), at="var/app"), into, level=level)
    return into.getvalue(), layer


def members(blob: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:*") as archive:
        return archive.getmembers()


@given(files=_FILES, order=st.integers(1, 5), level=st.sampled_from([STORE, FAST, SMALL]))
@examples(60)
def test_a_layer_depends_on_nothing_but_names_and_content(files: Files, order: int, level: int) -> None:
    first, layer = layer_of(files, level=level)
    again, _ = layer_of(files, order=order, level=level)

    assert again == first
    assert layer.descriptor.digest == f"sha256:{hashlib.sha256(first).hexdigest()}"
    assert layer.descriptor.size == len(first)
    plain = first if level == STORE else gzip.decompress(first)
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert layer.descriptor.media_type == (OCI_LAYER if level == STORE else OCI_LAYER_GZIP)


@pytest.mark.parametrize("level", [STORE, FAST])
def test_the_tar_is_the_one_that_tarfile_writes(tmp_path: Path, level: int) -> None:
    contents = {"a" * 150: b"long name", "empty": b"", "large": random.Random(1).randbytes(3_000_000), "ä": b"x" * 512}
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    packing = Packing([Entry(name, tmp_path / name) for name in contents], level=level)
    packed = b"".join(packing)

    assert (packed if level == STORE else gzip.decompress(packed)) == expected.getvalue()
    assert packing.layer.diff_id == f"sha256:{hashlib.sha256(expected.getvalue()).hexdigest()}"
    assert packing.files == {
        name: FileDigest(hashlib.sha256(content).hexdigest(), len(content)) for name, content in contents.items()
    }


def test_a_file_that_shrinks_while_it_is_read_makes_no_layer(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(bytes(3_000_000))
    pieces = iter(Packing([Entry("model", file)], level=STORE))
    next(pieces)
    os.truncate(file, 1_500_000)

    with pytest.raises(OSError, match="model lost 1500000 bytes"):
        list(pieces)


@given(files=_FILES)
@examples(60)
def test_a_layer_unpacks_to_what_went_in(files: Files) -> None:
    blob, _ = layer_of(files)

    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        contents = {
            member.name.removeprefix("var/app/part/"): file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    assert contents == files


@given(files=_FILES, other=_FILES)
@examples(60)
def test_other_files_make_another_layer(files: Files, other: Files) -> None:
    same = layer_of(files)[1].diff_id == layer_of(other)[1].diff_id

    assert same == (files == other)


def test_members_say_nothing_of_the_machine(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o711)
    (tmp_path / "data").write_text("x")
    into = io.BytesIO()
    write_layer([Entry("opt/tool", script), Entry("opt/z/data", tmp_path / "data")], into)

    found = members(into.getvalue())
    assert [(member.name, member.isdir(), oct(member.mode)) for member in found] == [
        ("opt", True, "0o755"),
        ("opt/tool", False, "0o755"),
        ("opt/z", True, "0o755"),
        ("opt/z/data", False, "0o644"),
    ]
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in found} == {
        (0, 0, "", "", 0)
    }
    assert into.getvalue()[:9] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04"  # no name, no time


def test_an_empty_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "root" / "empty").mkdir(parents=True)
    into = io.BytesIO()
    write_layer(folder_entries(tmp_path / "root", at="a"), into)

    assert [member.name for member in members(into.getvalue())] == ["a", "a/empty"]


@pytest.mark.parametrize("target", ["/etc/hostname", "folder"])
def test_links_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(ValueError, match="'link' is neither a file nor a folder"):
        folder_entries(tmp_path, at="a")


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b", "", ".", "a//b", "a/"])
def test_paths_stay_below_the_root(path: str) -> None:
    with pytest.raises(ValueError, match="is not a plain path"):
        Entry(path)


@pytest.mark.parametrize(("first", "second"), [("a/b", "a/b"), ("a", "a/b")])
def test_a_path_names_one_thing(tmp_path: Path, first: str, second: str) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ValueError, match=r"is there twice|is a file and a folder"):
        write_layer([Entry(first, file), Entry(second, file)], io.BytesIO())


@given(content=st.binary(max_size=300_000), cut=st.integers(1, 70_000))
@examples(30)
def test_a_tar_is_kept_as_it_is(content: bytes, cut: int) -> None:
    into = io.BytesIO()
    layer = compress_layer(io.BytesIO(content), into)

    assert gzip.decompress(into.getvalue()) == content
    assert layer.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_only_what_shrinks_is_compressed(tmp_path: Path) -> None:
    dense, sparse, small = tmp_path / "dense", tmp_path / "sparse", tmp_path / "small"
    dense.write_bytes(random.Random(1).randbytes(100_000))
    sparse.write_bytes(bytes(100_000))
    small.write_bytes(bytes(10))

    assert model_level([dense, small]) == STORE
    assert model_level([sparse, small]) == FAST
    assert model_level([]) == FAST
