from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.snapshots.differences import MOST_NAMES, differences
from shared.formats.manifest import BlobEntry
from tests.support.workflow import START

contents = st.dictionaries(st.text("abc/", min_size=1, max_size=6), st.sampled_from(["1", "2"]), max_size=40)


def manifest(content: dict[str, str], *, later: bool = False) -> list[BlobEntry]:
    """Written at another time, the same bytes are the same."""
    at = START + timedelta(days=later)
    return [
        BlobEntry(name=name, etag=f"0x{later}", size=1, md5=content[name], last_modified=at) for name in sorted(content)
    ]


@given(left=contents, right=contents)
def test_files_are_told_apart_by_name_and_content(left: dict[str, str], right: dict[str, str]) -> None:
    found = differences(manifest(left), manifest(right, later=True))

    assert found.added == len(right.keys() - left.keys())
    assert found.removed == len(left.keys() - right.keys())
    assert found.changed == sum(left[name] != right[name] for name in left.keys() & right.keys())
    assert found.first_added == sorted(right.keys() - left.keys())[:MOST_NAMES]
    assert found.first_removed == sorted(left.keys() - right.keys())[:MOST_NAMES]
    assert set(found.first_changed) <= left.keys() & right.keys()
