"""Runs as tables and facts."""

from collections.abc import Iterator, Sequence

from cli.client.answers import Rule, Run, TargetResult
from cli.operating.blocks import Block, Cell, Column, FactList, Row, Tone, table
from cli.operating.words import digest, doing, interval, number, size, state, took, when, when_short, zone
from shared.values.texts import counted

_RULE_TONES = {"met": Tone.GOOD, "not_met": Tone.BAD}


def run_table(runs: Sequence[Run], *, of_one: bool) -> Block:
    """Runs, one a row. ``of_one``: all of one pipeline, so that its name need not be repeated."""
    columns = [
        Column("run"),
        Column("pipeline", spare=True),
        Column("state"),
        Column(f"asked for ({zone(*(run.requested_at for run in runs))})"),
        Column("took", right=True, spare=True),
        Column("version", right=True, spare=True),
        Column("reason", flexible=True),
    ]
    rows: list[Row] = [
        [
            run.run_id,
            run.pipeline,
            state(run),
            when_short(run.requested_at),
            took(run.seconds) if run.ended else "",
            run.version or "",
            run.reason,
        ]
        for run in runs
    ]
    if of_one:
        del columns[1]
        for row in rows:
            del row[1]
    return table(columns, rows, empty="no runs")


def run_blocks(run: Run) -> Iterator[Block]:
    """Everything about one run."""
    yield _facts(run)
    if run.metrics:
        metrics: list[Row] = [[name, number(value)] for name, value in run.metrics.items()]
        yield table([Column("metric"), Column("value", right=True)], metrics)
    if run.rules:
        columns = [Column("rule"), Column("result"), Column("value", right=True), Column("limit", right=True)]
        yield table(columns, map(_rule, run.rules))
    if run.targets:
        columns = [Column("target"), Column("state"), Column("scored at"), Column("reason", flexible=True)]
        yield table(columns, map(_target, run.targets))


def _rule(rule: Rule) -> Row:
    result = Cell(rule.result.replace("_", " "), _RULE_TONES.get(rule.result, Tone.PLAIN))
    return [rule.rule, result, number(rule.value), number(rule.limit)]


def _target(result: TargetResult) -> Row:
    reached = Cell("deployed", Tone.GOOD) if result.deployed else Cell("not deployed", Tone.BAD)
    return [result.target, reached, result.endpoint or "", result.reason]


def _facts(run: Run) -> Block:
    facts = FactList()
    shown = state(run)
    cause = f", cause: {run.cause.replace('_', ' ')}{', forced' if run.forced else ''}"
    facts.add("run", run.run_id)
    facts.add("pipeline", run.pipeline)
    facts.add("state", shown.text if run.ended else doing(run), shown.tone)
    facts.add("reason", run.reason)
    facts.add("asked for", f"{when(run.requested_at)}{cause}")
    facts.add("note", run.note)
    facts.add("in this stage since", "" if run.ended else when(run.since))
    facts.add("ended", f"{when(run.ended_at)}, after {took(run.seconds)}" if run.ended_at else "")
    facts.add("tried again at", when(run.next_try_at))
    facts.add("goes on from", run.continues)
    facts.add("attempt", str(run.attempt) if run.attempt > 1 else "")
    facts.add(
        "trained on", f"{counted(run.blobs, 'file')}, snapshot {digest(run.snapshot_digest)}" if run.blobs else ""
    )
    facts.add("left out", counted(len(run.left_out), "file") if run.left_out else "")
    facts.add("hold-out", digest(run.holdout))
    facts.add("fingerprint", digest(run.fingerprint))
    facts.add("compared with", run.champion_run_id)
    facts.add("its value then", number(run.champion_value))
    facts.add("difference to it", _difference(run))
    facts.add("model", f"{run.model} version {run.version}" if run.model and run.version else run.model)
    facts.add("image", run.image)
    facts.add("left the site", _receipt(run))
    facts.add("trace", run.trace)
    return facts.block()


def _difference(run: Run) -> str:
    found = run.comparison
    if found is None:
        return "" if run.comparable else "there is no comparison"
    return interval(found)


def _receipt(run: Run) -> str:
    found = run.receipt
    if found is None:
        return ""
    parts = [
        f"{counted(found.released, 'item')} of {size(found.released_bytes)}",
        *([f"{counted(found.held_back, 'item')} held back"] if found.held_back else []),
        f"{size(found.network_bytes)} over the containers' network",
        f"signature {found.signature.replace('_', ' ')}",
    ]
    return ", ".join(parts)
