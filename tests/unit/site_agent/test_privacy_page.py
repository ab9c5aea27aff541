"""docs/privacy.md names a test for each of its claims, and the numbers that the code has."""

import ast
import re
from pathlib import Path

from site_agent.job.guard import metrics
from site_agent.job.guard.coefficients import MOST_BYTES
from site_agent.job.guard.contents import MOST_FILES
from site_agent.job.guard.release import LARGEST_SMOKE
from site_agent.job.guard.samples import MOST_ROWS
from site_agent.job.policy import Leaves

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/privacy.md").read_text()
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_claim_has_a_test() -> None:
    table = PAGE.partition("## How it is known")[2].partition("\n## ")[0]
    claims = [line for line in table.splitlines() if line.startswith("| ")][2:]

    assert len(claims) >= 20
    assert [line for line in claims if not re.search(r"`tests/[\w/]+\.py::\w+`", line)] == []


def test_the_tests_are_there() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in TESTS
        if name not in {each.name for each in ast.parse((ROOT / file).read_text()).body if hasattr(each, "name")}
    ]

    assert missing == []


def test_the_bounds_are_those_of_the_code() -> None:
    names = Leaves().metrics * metrics.BITS_OF_A_NAME
    values = Leaves().metrics * metrics.BITS_OF_A_VALUE

    assert f"at most {metrics.BITS_OF_A_VALUE} bits, so {Leaves().metrics} of them {values:,} bits" in PAGE
    assert f"at most {names:,} bits" in PAGE
    assert f"`limits.model` of the policy, {MOST_FILES} files" in PAGE
    assert f"below {MOST_BYTES // 1024} KiB" in PAGE
    assert f"`smoke.json` | {LARGEST_SMOKE // 1024} KiB" in PAGE
    assert f"More than {MOST_ROWS:,} rows" in PAGE
