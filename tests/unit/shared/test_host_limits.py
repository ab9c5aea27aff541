import json
from pathlib import Path

import pytest

from shared.clients.vm_containers import PULL_SECONDS
from shared.host_limits import OVERRIDE, function_seconds
from shared.pipelines.checks import VERIFY_SECONDS
from shared.pipelines.delivery import Target

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("host", "setting", "seconds"),
    [
        ({"functionTimeout": "00:30:00"}, None, 1800),
        ({"functionTimeout": "1.00:00:05"}, None, 86405),
        ({"functionTimeout": "-1"}, None, None),
        ({}, None, 1800),
        ({"functionTimeout": "soon"}, None, 1800),
        ([], None, 1800),
        ({"functionTimeout": "00:30:00"}, "00:05:00", 300),
        ({"functionTimeout": "00:30:00"}, "-1", None),
    ],
)
def test_how_long_a_function_may_take(tmp_path: Path, host: object, setting: str | None, seconds: float | None) -> None:
    (tmp_path / "host.json").write_text(json.dumps(host))
    assert function_seconds(tmp_path, {OVERRIDE: setting} if setting else {}) == seconds


def test_without_a_host_json_the_default_counts(tmp_path: Path) -> None:
    assert function_seconds(tmp_path, {}) == 1800


def test_our_own_host_lets_the_longest_activities_end() -> None:
    limit = function_seconds(ROOT, {})
    assert limit is not None
    assert limit > PULL_SECONDS + 120 + 60  # start_candidate: pull, start, and the link
    assert limit > Target(name="vm").health_seconds + VERIFY_SECONDS
