"""What is kept of troubles fits one value of a table, whatever letters their causes are made of."""

from collections.abc import Iterable

import pytest

from shared.decisions.reconciliation.troubles import Aspect, Finding, aspect_of, merge_findings
from shared.formats.size_limits import LONGEST_COLUMN, length
from shared.messages import TroubleKind
from shared.values.wire import to_wire
from tests.support.workflow import START


def of_every_kind(letter: str) -> dict[Aspect, Iterable[Finding]]:
    findings: dict[Aspect, list[Finding]] = {}
    for kind in TroubleKind:
        findings.setdefault(aspect_of(kind), []).extend(
            Finding(kind, f"{number} {letter * 2_000}") for number in range(20)
        )
    return dict(findings.items())


@pytest.mark.parametrize("letter", ["a", "\x1b", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{PILE OF POO}", "\ud800"])
def test_all_troubles_of_a_pipeline_fit_one_value(letter: str) -> None:
    findings = of_every_kind(letter)
    kept = merge_findings((), findings, START)

    assert {trouble.kind for trouble in kept} == set(TroubleKind)
    assert length([to_wire(trouble) for trouble in kept]) <= LONGEST_COLUMN - 1_000
    assert merge_findings(kept, findings, START.replace(year=2030)) == kept, "the same is not new"
