import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.formats.manifest import BlobEntry, DisorderError, ManifestWriter, listed_blobs

HOLDOUT = BlobEntry(
    name="holdout/h.csv", etag='"0x1"', size=9, md5=None, last_modified=datetime(2026, 5, 1, 10, tzinfo=UTC)
)
entries = st.builds(
    BlobEntry,
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    etag=st.text("0x9AF\"'", max_size=6),
    size=st.integers(0, 2**50),
    md5=st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex),
    last_modified=st.datetimes(timezones=st.just(timezone(timedelta(hours=2))), min_value=datetime(2000, 1, 1)),  # noqa: DTZ001 - hypothesis wants it naive
)


def _text(blobs: list[BlobEntry]) -> bytes:
    pieces: list[bytes] = []
    writer = ManifestWriter(pieces.append, pipeline="p", container="c", holdout=HOLDOUT)
    for blob in blobs:
        writer.add(blob)
    digest = writer.end()
    text = b"".join(pieces)
    assert digest == hashlib.sha256(text).hexdigest()
    assert (writer.blobs, writer.size) == (len(blobs), sum(blob.size for blob in blobs))
    assert writer.newest == max((blob.last_modified for blob in blobs), default=None)
    return text


def _cut(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def test_the_bytes_are_the_documented_ones() -> None:
    blob = BlobEntry(
        name="landing/ä.csv",
        etag='"0x8D"',
        size=12,
        md5="ab" * 16,
        last_modified=datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    )
    assert _text([blob]).decode() == (
        '{"blobs":[{"etag":"\\"0x8D\\"","last_modified":"2026-05-01T10:00:00Z","md5":"abababababababababababababababab",'
        '"name":"landing/ä.csv","size":12}],"container":"c",'
        '"holdout":{"etag":"\\"0x1\\"","last_modified":"2026-05-01T10:00:00Z","md5":null,"name":"holdout/h.csv","size":9},'
        '"pipeline":"p","schema":1}'
    )


@given(st.lists(entries, unique_by=lambda entry: entry.name, max_size=6))
def test_it_is_canonical_json(blobs: list[BlobEntry]) -> None:
    text = _text(sorted(blobs, key=lambda blob: blob.name))
    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text == canonical.encode()
    assert len(json.loads(text)["blobs"]) == len(blobs)


@given(st.lists(entries, min_size=2, max_size=4))
def test_blobs_out_of_order_or_twice_are_noticed(blobs: list[BlobEntry]) -> None:
    names = [blob.name for blob in blobs]
    if names == sorted(set(names)):
        blobs.reverse()
    with pytest.raises(DisorderError):
        _text(blobs)


@given(st.lists(entries, unique_by=lambda entry: entry.name, max_size=6), st.integers(1, 300))
def test_it_reads_back_however_it_is_cut(blobs: list[BlobEntry], size: int) -> None:
    ordered = sorted(blobs, key=lambda blob: blob.name)
    assert list(listed_blobs(_cut(_text(ordered), size))) == ordered


def test_many_blobs_are_written_in_pieces_and_read_only_as_far_as_asked() -> None:
    blobs = [_numbered(number) for number in range(3000)]
    text = _text(blobs)
    assert json.loads(text)["blobs"][2999]["name"] == "part-002999"
    read: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for chunk in _cut(text, 1000):
            read.append(chunk)
            yield chunk

    assert next(blob for blob in listed_blobs(chunks()) if blob.size == 40) == blobs[40]
    assert sum(map(len, read)) < len(text) / 50


def _numbered(number: int) -> BlobEntry:
    return BlobEntry(name=f"part-{number:06}", etag='"0x1"', size=number, md5=None, last_modified=HOLDOUT.last_modified)


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"\xff", b'{"blobs":[', b'{"blobs":[{"name":"a"}]', b'{"blobs":[7]']
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        list(listed_blobs([text]))


@given(st.lists(entries, unique_by=lambda entry: entry.name, min_size=1, max_size=3), st.data())
def test_a_manifest_that_ends_early_is_refused(blobs: list[BlobEntry], data: st.DataObject) -> None:
    text = _text(sorted(blobs, key=lambda blob: blob.name))
    whole = text.index(b'],"container"')
    short = text[: data.draw(st.integers(0, whole))]
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        list(listed_blobs([short]))


def test_an_entry_without_an_end_is_not_read_into_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"blobs":[{"name":"'
        for _ in range(10):
            yield b"a" * 10_000
        raise AssertionError("read on")

    with pytest.raises(ValueError, match="not a whole manifest"):
        list(listed_blobs(endless()))
