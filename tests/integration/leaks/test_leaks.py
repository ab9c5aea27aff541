"""Training code that means harm, in every way that came to mind: no cell of a row gets out of the site.

Each attack is a run of its own on the real job: hub, podman, sshd, Azure ML's SDK. Afterwards its canaries are looked
for in everything outside of the site, see ``local_stack/leak_search.py``. What cannot be caught in this way is in
docs/privacy.md, with its bound.
"""

from collections.abc import Callable
from pathlib import Path

from local_stack.leak_search import Canaries
from tests.integration.leaks.attacks import ALONE, ATTACKS, LIKE, Attack
from tests.integration.leaks.freely import freely
from tests.integration.leaks.lab import LeakLab, Outcome

TESTS = Path(__file__).resolve().parents[2]
BY_NAME = {attack.name: attack for attack in ATTACKS}
Run = Callable[[Attack], Outcome]


def test_there_are_ways_enough() -> None:
    assert len(BY_NAME) == len(ATTACKS) >= 40
    assert sum(attack.always for attack in ATTACKS) >= 12


def test_what_does_not_run_where_ci_is_set_has_something_in_its_place() -> None:
    assert all(name in BY_NAME and like in BY_NAME and like not in {*LIKE, *ALONE} for name, like in LIKE.items())
    assert set(ALONE) <= BY_NAME.keys() - LIKE.keys()
    for test in ALONE.values():
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in (TESTS / file).read_text(encoding="utf-8"), test


def test_the_same_without_a_seal_is_found_everywhere(leak_lab: LeakLab) -> None:
    """What a program on the VM can do that is not sealed; it shows that the search sees each of the places."""
    canaries = Canaries.new()
    finds = freely(leak_lab, canaries)

    for place in ("a/outputs", "a/log", "a/tag", "a/metric", "the registry", "a listener"):
        assert finds[place], place
    assert leak_lab.search(Canaries.new()).found == []


def test_nothing_gets_out(outcome: Run, attack: str) -> None:
    tried = BY_NAME[attack]
    ended = outcome(tried)

    assert ended.finds == []
    assert ended.heard == []
    assert ended.hub_after == ended.hub_before
    for program in tried.tries:
        assert "tried\n" in ended.logs.get(program, ""), (program, ended.facts)
    if tried.ends:
        assert ended.facts["status"] == {"completed": "Completed", "failed": "Failed"}[tried.ends], ended.facts
    if not ended.completed:
        assert tried.reason in ended.reason
    _check_receipt(ended)
    assert ended.shadows == []


def _check_receipt(ended: Outcome) -> None:
    assert ended.receipt, ended.facts
    released = {each["name"]: each for each in ended.receipt["released"]}
    assert all(each["received"] == each["sent"] == 0 for each in ended.receipt["network"])
    written = {"receipt.json", "receipt.dsse.json", "checksums.json"}
    if not ended.completed:
        assert set(released) == {"reason"}
        assert set(ended.files) == written
    else:
        assert set(ended.files) == {*released, *written}


def test_nothing_is_left_on_the_vm(leak_lab: LeakLab, outcome: Run) -> None:
    """Comes last: all attacks have ended."""
    assert leak_lab.left() == []
