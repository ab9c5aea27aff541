"""Faults are planted in a site that works: each is named by the right check with a remedy, and nothing else is."""

from collections.abc import Sequence

import pytest

from shared.doctor import Finding, State
from tests.integration.doctor import cloud_faults, hub_faults, image_faults, vm_faults
from tests.integration.doctor.lab import MODULES, Fault, Lab, planted

pytestmark = pytest.mark.long

ALONE = [(fault,) for fault in (*cloud_faults.FAULTS, *hub_faults.FAULTS, *image_faults.FAULTS)]
# A look at a VM takes a second or two, so that faults of one which do not touch each other are planted together.
PLANTED = [*ALONE, *vm_faults.TOGETHER]


def alarms(findings: Sequence[Finding]) -> dict[str, State]:
    return {each.check: each.state for each in findings if each.state.needs_remedy}


def test_a_site_that_works_gives_no_alarm(lab: Lab) -> None:
    findings = lab.ask(MODULES, {})

    assert alarms(findings) == {}, findings
    assert all(each.found and each.wanted and each.why and not each.remedy for each in findings)
    seen = [each for each in findings if each.state is State.OK]
    assert len(seen) > len(findings) / 2


def test_there_are_as_many_kinds_as_was_promised() -> None:
    assert len({fault.name for faults in PLANTED for fault in faults}) >= 40


@pytest.mark.parametrize("faults", PLANTED, ids=lambda faults: " and ".join(each.name for each in faults))
def test_a_fault_is_named_and_nothing_else_is(lab: Lab, faults: Sequence[Fault]) -> None:
    with planted(lab, faults) as changes:
        findings = lab.ask(sorted({module for fault in faults for module in (fault.module, *fault.beside)}), changes)

    expected = {check: state for fault in faults for check, state in fault.named.items()}
    assert alarms(findings) == expected, [each for each in findings if each.state.needs_remedy]
    for finding in findings:
        if finding.state.needs_remedy:
            assert len(finding.remedy) > 10, finding
            assert finding.found.isprintable()
