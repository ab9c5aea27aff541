"""The findings as a table, and what is wrong in full."""

from collections import Counter
from collections.abc import Iterator

from cli.client.delivery_answers import Doctor, Finding
from cli.operating.blocks import Block, Cell, Column, FactList, Line, Row, Tone, table
from shared.values.texts import counted

_TONES = {"ok": Tone.GOOD, "wrong": Tone.BAD, "unknown": Tone.BUSY, "skipped": Tone.QUIET}
_OF_INTEREST = ("wrong", "unknown")


def doctor_blocks(view: Doctor, *, every: bool) -> Iterator[Block]:
    """A table of what is of interest, each thing that is wrong in full, and the sums."""
    shown = [each for each in view.findings if every or each.state in _OF_INTEREST]
    if shown:
        columns = [Column("state"), Column("check"), Column("of"), Column("found", flexible=True)]
        yield table(columns, map(_row, shown))
    for finding in view.findings:
        if finding.state in _OF_INTEREST:
            yield Line(f"{finding.check} of {finding.subject}: {finding.state}", _tone(finding))
            yield _in_full(finding)
    yield Line(_sums(view), Tone.GOOD if view.healthy else Tone.BAD)


def _row(finding: Finding) -> Row:
    return [Cell(finding.state, _tone(finding)), finding.check, finding.subject, finding.found]


def _in_full(finding: Finding) -> Block:
    facts = FactList()
    facts.add("found", finding.found)
    facts.add("wanted", finding.wanted)
    facts.add("why", finding.why)
    facts.add("mends it", finding.remedy)
    return facts.block()


def _sums(view: Doctor) -> str:
    counts = Counter(each.state for each in view.findings)
    said = ", ".join(f"{counts[state]} {state}" for state in _TONES if counts[state])
    return f"{counted(len(view.findings), 'check')}: {said or 'nothing to look at'}"


def _tone(finding: Finding) -> Tone:
    return _TONES.get(finding.state, Tone.PLAIN)
