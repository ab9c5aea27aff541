"""Attacks on the egress guard, their programs as plain processes: what it lets out has no cell of a row.

The same attacks are runs of their own, sealed, in ``test_leaks.py``. These take a second each.
"""

from pathlib import Path

import pytest

from tests.integration.leaks.attacks import ATTACKS, Attack
from tests.integration.leaks.unsealed import UnsealedRun

ON_GUARD = [attack for attack in ATTACKS if attack.on_guard]


@pytest.mark.parametrize("tried", ON_GUARD, ids=lambda attack: attack.name)
def test_the_guard_lets_no_row_out(tmp_path: Path, tried: Attack) -> None:
    run = UnsealedRun(tried, tmp_path)

    ended = run.outcome()

    assert ended.finds == []
    for program in tried.tries:
        assert "tried\n" in ended.logs[program]
    assert tried.ends in {"", "completed" if ended.completed else "failed"}, ended.reason
    assert ended.completed or tried.reason in ended.reason
    named = {each["name"] for each in ended.receipt["released"]}
    assert named == ({"reason"} if not ended.completed else set(ended.files) - run.written)
