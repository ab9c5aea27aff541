"""Faults are planted in a site that works: each is named by the right check with a remedy, and nothing else is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from function_app.composition import Services
from shared.doctor import Finding, State
from shared.messages.delivery import Champion
from tests.integration.doctor import cloud_faults, hub_faults, image_faults, vm_faults
from tests.integration.doctor.lab import MODULES, PIPELINE, Fault, Lab, planted

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


def test_a_site_before_its_first_file_gives_no_alarm(lab: Lab) -> None:
    with emptied(lab):
        findings = lab.ask(["hub", "pipelines"], {})

    assert alarms(findings) == {}, findings
    (holdout,) = [each for each in findings if each.check == "data.holdout"]
    assert (holdout.state, holdout.found) == (
        State.SKIPPED,
        f"{PIPELINE} is empty: the hold-out comes with the first files",
    )


def test_data_that_is_gone_is_no_first_day(lab: Lab) -> None:
    services = Services()
    services.__dict__["settings"] = lab.read_settings({})
    champions, now = services.ledger.champions, datetime.now(UTC)
    champions.crown(Champion(pipeline=PIPELINE, run_id="run-1", model=PIPELINE, version="1"), since=now)
    try:
        with emptied(lab):
            assert alarms(lab.ask(["hub", "pipelines"], {})) == {"data.holdout": State.WRONG}
    finally:
        champions.uncrown(PIPELINE, "run-1", at=now)


@contextmanager
def emptied(lab: Lab) -> Iterator[None]:
    """The pipeline's container is there, and nothing lies in it."""
    with lab.hub() as container:
        kept = {name: container.download_blob(name).readall() for name in list(container.list_blob_names())}
        for name in kept:
            container.delete_blob(name)
        try:
            yield
        finally:
            for name, content in kept.items():
                container.upload_blob(name, content)


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
