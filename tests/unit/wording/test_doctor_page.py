"""The list of checks in docs/doctor.md is that of the code; ``make golden`` writes it."""

import os
import re
from pathlib import Path

from function_app.doctor.catalogue import every_check
from tests.support.golden import WRITE

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"
_LIST = re.compile(r"(?<=<!-- checks -->\n).*(?=<!-- /checks -->)", re.DOTALL)


def table() -> str:
    lines = ["| check | of | what is wanted | why | what mends it |", "| --- | --- | --- | --- | --- |"]
    for check in every_check():
        marks = f"{', a run asks it' if check.for_runs else ''}{'' if check.before_deployment else ', deployed only'}"
        lines.append(f"| `{check.name}` | {check.about.value}{marks} | {check.wanted} | {check.why} | {check.remedy} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_every_check() -> None:
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get(WRITE):
        PAGE.write_text(_LIST.sub(lambda _: table(), page), encoding="utf-8")
        return

    assert _LIST.search(page)
    assert _LIST.search(page)[0] == table(), "the checks have changed: run `make golden`, and review the difference"  # type: ignore[index]


def test_a_check_is_described_in_full_and_has_a_name_of_its_own() -> None:
    every = every_check()

    assert len({check.name for check in every}) == len(every)
    for check in every:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", check.name), check.name
        assert all([check.wanted, check.why, check.remedy]), check.name
        assert "|" not in check.wanted + check.why + check.remedy, check.name
        assert 0 < check.seconds <= 60, check.name
