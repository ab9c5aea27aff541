import pytest

from shared.errors import Code, PermanentError
from shared.messages import Verdict
from tests.unit.activities.admission_world import NAME, World


def test_a_preview_writes_nothing() -> None:
    world = World()
    preview = world.preview()
    assert (preview.would_start, preview.verdict, preview.blobs, preview.size) == (True, Verdict.TRAINED, 3, 12_345)
    assert preview.run_id is not None
    assert preview.run_id in preview.reason
    assert "3 files" in preview.reason
    assert world.previews == 1
    assert world.decided() is None
    assert world.ledger.runs.list_runs([NAME]).items == ()
    assert world.start().run_id == preview.run_id


def test_a_preview_says_what_is_missing() -> None:
    world = World(trouble=PermanentError("no hold-out; upload it", code=Code.NO_DATA))
    preview = world.preview()
    assert (preview.would_start, preview.verdict, preview.reason) == (False, Verdict.REJECTED, "no hold-out; upload it")
    with pytest.raises(PermanentError, match="'deep' is not declared"):
        world.preview(parameters={"deep": 1})
