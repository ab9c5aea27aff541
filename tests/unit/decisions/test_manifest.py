import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.manifest import BlobEntry, DisorderError, manifest_pieces

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
    return b"".join(manifest_pieces(pipeline="p", container="c", holdout=HOLDOUT, blobs=blobs))


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
