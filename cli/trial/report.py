"""What a person reads of a trial: what would leave, what would not and why, the metrics, the comparison."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.trial.trial import Compared, Outcome
from shared.pipelines import Judge
from shared.values.texts import counted, one_line
from site_agent.job.guard.receipt import FAILED, Receipt


def lines_of(outcome: Outcome, judge: Judge) -> Iterator[str]:
    """The summary, from what matters least to what matters most."""
    yield from _would_leave(outcome)
    yield from _checks(outcome.receipt)
    yield from _metrics(outcome, judge)
    if outcome.compared is not None:
        yield from _comparison(outcome.compared)
    yield from _verdict(outcome)


def _would_leave(outcome: Outcome) -> Iterator[str]:
    receipt = outcome.receipt
    traffic = sum(each.received + each.sent for each in receipt.network)
    if outcome.refused:
        yield "would leave the site: nothing but the reason"
    else:
        yield f"would leave the site: {counted(len(receipt.released), 'file')}, {receipt.released_bytes:,} bytes"
        for file in receipt.released:
            yield f"  {file.name}  {file.kind}, {file.bytes:,} bytes ({file.rule})"
    yield f"through a network of the containers: {traffic:,} bytes"
    if receipt.held_back:
        yield "would be held back:"
        for held in receipt.held_back:
            yield f"  {one_line(held.name) or 'a file'}  {held.bytes:,} bytes: {held.reason}"


def _checks(receipt: Receipt) -> Iterator[str]:
    yield "checks of the egress guard:"
    for check in receipt.checks:
        detail = f": {check.detail}" if check.detail else ""
        yield f"  {'FAILED' if check.result == FAILED else check.result.replace('_', ' ')}  {check.name}{detail}"


def _metrics(outcome: Outcome, judge: Judge) -> Iterator[str]:
    theirs = outcome.compared.metrics if outcome.compared is not None else {}
    yield "metrics on the hold-out:" + ("  (in brackets: of the last trial's model)" if theirs else "")
    for name, value in sorted(outcome.metrics.items()):
        beside = f"  ({theirs[name]:g})" if name in theirs else ""
        yield f"  {name}  {value:g}{beside}"
    value = outcome.metrics[judge.metric]
    met = value >= judge.floor if judge.direction == "higher" else value <= judge.floor
    relation = "at least" if judge.direction == "higher" else "at most"
    verdict = "met" if met else "NOT met: it would not be promoted"
    yield f"the floor, {judge.metric} {relation} {judge.floor:g}, is {verdict}"


def _comparison(compared: Compared) -> Iterator[str]:
    if compared.trouble:
        yield f"no comparison: {compared.trouble}"
    elif compared.comparison is None:
        yield "no interval: evaluation wrote no rows.csv with a loss for each row"
    else:
        yield from _interval(compared.comparison)


def _interval(found: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"against the last trial's model, on {found['rows']} rows: mean loss {found['difference']:+.4g},"
        f" {100 * found['level']:g}% interval {found['low']:+.4g} to {found['high']:+.4g} (below 0 is better)"
    )
    if found["rows_needed"]:
        yield f"  that does not tell the two apart; about {found['rows_needed']:,} rows would"
    worst = found["worst_slice"]
    if worst:
        yield f"  worst slice: {one_line(worst['name'])}, {worst['rows']} rows, mean loss {worst['difference']:+.4g}"


def _verdict(outcome: Outcome) -> Iterator[str]:
    if outcome.refused:
        yield f"a run would fail: {outcome.refused}"
    else:
        yield "a run of this would succeed; nothing has left this machine"
    if outcome.model is not None:
        yield f"the model is in {outcome.model}; the next trial can be compared with it (--compare)"
