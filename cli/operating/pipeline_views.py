"""Pipelines, and what became of a blob, as tables and facts."""

from collections.abc import Iterator

from cli.client.answers import Data, Pipeline, Pipelines, Trouble, Why
from cli.operating.blocks import Block, Cell, Column, FactList, Line, Row, Tone, table
from cli.operating.run_views import run_table
from cli.operating.words import number, state, when, when_short, zone
from shared.values.texts import counted, one_line


def pipeline_table(found: Pipelines) -> Iterator[Block]:
    """Every pipeline, and every file that is none."""
    rows: list[Row] = [
        [
            each.name,
            _health(each),
            each.champion.run_id or "" if each.champion else "",
            _version(each),
            each.description,
        ]
        for each in found.pipelines
    ]
    rows += [[name, Cell("broken", Tone.BAD), "", "", why] for name, why in sorted(found.broken.items())]
    rows += [[name, Cell("removed", Tone.QUIET), "", "", why] for name, why in sorted(found.removed.items())]
    columns = [Column("pipeline"), Column("state"), Column("champion"), Column("version", right=True, spare=True)]
    yield table(
        [*columns, Column("what it is", flexible=True)], rows, empty="no pipelines: edgetrain new NAME makes one"
    )


def _health(pipeline: Pipeline) -> Cell:
    if pipeline.troubles:
        return Cell(counted(len(pipeline.troubles), "trouble"), Tone.BAD)
    return Cell("ok", Tone.GOOD) if pipeline.champion is not None else Cell("no model yet")


def _version(pipeline: Pipeline) -> str:
    return pipeline.champion.version or "" if pipeline.champion is not None else ""


def pipeline_blocks(pipeline: Pipeline) -> Iterator[Block]:
    """Everything about one pipeline."""
    facts = FactList()
    facts.add("pipeline", pipeline.name)
    facts.add("what it is", pipeline.description)
    facts.add("removed", pipeline.removed, Tone.BAD)
    facts.add("serving", pipeline.serving)
    champion = pipeline.champion
    if champion is not None and champion.run_id:
        facts.add("champion", f"{champion.run_id}{f', version {champion.version}' if champion.version else ''}")
        facts.add("metrics", ", ".join(f"{name} {number(value)}" for name, value in champion.metrics.items()))
    if pipeline.data is not None:
        facts.add("data", _where(pipeline.data))
    facts.add("trains on", pipeline.train.compute)
    facts.add("delivers to", ", ".join(target.name for target in pipeline.deliver.targets))
    facts.add("arriving", pipeline.window.closing if pipeline.window is not None else "")
    expected = pipeline.expected
    if expected is not None:
        facts.add("expected", expected.sentence, Tone.BAD if expected.overdue_since is not None else Tone.PLAIN)
    yield facts.block()
    if pipeline.troubles:
        yield trouble_table(pipeline.troubles)
    if pipeline.quarantines:
        rows: list[Row] = [
            [each.fingerprint, when_short(each.since), counted(len(each.failures), "failure")]
            for each in pipeline.quarantines
        ]
        since = f"since ({zone(*(each.since for each in pipeline.quarantines))})"
        yield table([Column("in quarantine"), Column(since), Column("because of")], rows)
    yield run_table(pipeline.runs, of_one=True)


def _where(data: Data) -> str:
    return one_line(f"{data.prefix}{data.pattern} in container {data.container} at site {data.site}")


def trouble_table(troubles: tuple[Trouble, ...]) -> Block:
    """What is wrong, and what to do about it."""
    rows: list[Row] = [
        [Cell(each.kind.replace("_", " "), Tone.BAD), when_short(each.since), each.cause, each.remedy]
        for each in troubles
    ]
    since = f"since ({zone(*(each.since for each in troubles))})"
    columns = [Column("trouble"), Column(since), Column("cause", flexible=True), Column("what to do", flexible=True)]
    return table(columns, rows)


def why_blocks(why: Why) -> Iterator[Block]:
    """The sentence first, then the evidence."""
    yield Line(why.sentence)
    facts = FactList()
    facts.add("verdict", why.verdict or "nothing was decided")
    if why.run is not None:
        shown = state(why.run)
        facts.add("run", why.run.run_id)
        facts.add("its state", shown.text, shown.tone)
    yield facts.block()
    if why.troubles:
        yield trouble_table(why.troubles)
    if why.arrivals:
        rows: list[Row] = [
            [when(each.occurred_at), each.verdict, each.run_id or "", each.reason] for each in why.arrivals
        ]
        columns = [Column("arrived"), Column("verdict"), Column("run", spare=True), Column("reason", flexible=True)]
        yield table(columns, rows)
