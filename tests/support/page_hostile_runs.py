"""Runs of which every text means harm, and the texts, dealt out to the screens that show them."""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import cycle
from typing import Final

from shared.formats.manifest import BlobEntry, ManifestWriter
from shared.messages import (
    Actor,
    ActorKind,
    Approval,
    ApprovalRule,
    Cancellation,
    Champion,
    Comparison,
    DeliveryRule,
    JudgedRule,
    LeftOut,
    Outcome,
    ReceiptSummary,
    RuleResult,
    RunRequest,
    Slice,
    Snapshot,
    TargetPlan,
    TargetResult,
    first_record,
)
from tests.simulation.world import World
from tests.support.builders import a_plan, a_run_request, a_snapshot
from tests.support.hostile_texts import hostile_texts
from tests.support.page_world import IMAGE

NAME: Final = "breast-cancer"
"""The pipeline."""
LEAST: Final = 200
TEXTS: Final = tuple(
    # Half a character is refused where it comes in, and of nothing there is nothing to see.
    each.text
    for each in hostile_texts(LEAST + 40)
    if each.utf8 and each.text
)
_LONGEST: Final = 300
"""Characters: as much as a reason may have that the app takes over, less what stands around it."""


@dataclass
class Deal:
    """Deals the texts out, one after the other, and keeps which screens have to show them."""

    shown: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    dealt: set[str] = field(default_factory=set)
    _texts: Iterator[str] = field(default_factory=lambda: cycle(TEXTS))

    def __call__(self, *screens: str) -> str:
        """The next text, which is to be seen on these screens."""
        text = next(self._texts)
        self.dealt.add(text)
        for screen in screens:
            self.shown[screen].append(text[:_LONGEST])
        return text[:_LONGEST]

    def some(self, number: int, *screens: str) -> tuple[str, ...]:
        """So many of them."""
        return tuple(self(*screens) for _ in range(number))


def runs_of(world: World, deal: Deal) -> list[str]:
    """Versions of a model, the newest of them told of in every way; their ids, the newest last."""
    runs = [_version(world, deal, number) for number in range(1, 7)]
    before, after = (
        _snapshot(world, deal.some(5, "run", "compare")),
        _snapshot(world, deal.some(5, "run", "compare")),
    )
    last = world.ledger.runs.run(runs[-1])
    assert last is not None
    world.ledger.champions.crown(
        Champion(pipeline=NAME, run_id=last.run_id, model=NAME, version=last.version), since=world.clock.now()
    )
    return [*runs, _told(world, deal, 7, before, of_the_pair="left"), _told(world, deal, 8, after, of_the_pair="right")]


def _version(world: World, deal: Deal, number: int) -> str:
    request = _request(world, number, a_snapshot(), deal())
    in_use, newest = number == 6, number > 3  # of a model the list has the newest three
    version = deal("model", *(["models"] if newest else []), *(["data", "now"] if in_use else []))
    world.ledger.runs.claim_run(request)
    record = replace(
        first_record(request, reason=deal("data")),
        outcome=Outcome.NOT_PROMOTED,
        ended_at=request.requested_at,
        model=NAME,
        version=version,
        image=IMAGE,
        metrics=dict.fromkeys(deal.some(3, "model"), 0.5),
        targets=tuple(TargetResult(target=target, deployed=True) for target in deal.some(2, "model")),
    )
    world.ledger.runs.record_run(record)
    return request.run_id


def _told(world: World, deal: Deal, number: int, snapshot: Snapshot, *, of_the_pair: str) -> str:
    """A run of which everything is told, and the run that it is compared with."""
    screens = ("run",) if of_the_pair == "right" else ()
    targets = deal.some(3, *screens)
    request = _request(
        world,
        number,
        snapshot,
        deal(*screens),
        plan=a_plan(
            compute=deal(*screens),
            holdout=deal(*screens),
            targets=tuple(TargetPlan(name=target, health_seconds=30) for target in targets),
            delivery=DeliveryRule(approval=ApprovalRule()),
        ),
        parameters={deal("compare", *screens): deal("compare", *screens) for _ in range(5)},
    )
    world.ledger.runs.claim_run(request)
    for target in targets:
        world.ledger.approvals.decide(
            Approval(
                run_id=request.run_id,
                target=target,
                approved=True,
                by=deal(*screens),
                reason=deal(*screens),
                at=request.requested_at,
            )
        )
    part = Slice(name=deal(*screens), rows=7, difference=0.1)
    record = replace(
        first_record(request, reason=deal("data", *screens, *(["now"] if screens else []))),
        outcome=Outcome.NOT_PROMOTED,
        ended_at=request.requested_at,
        metrics=dict.fromkeys(deal.some(5, "compare", *screens), 0.5),
        holdout="cd" * 32,
        left_out=tuple(LeftOut(why=why, count=5, first=deal.some(5, *screens)) for why in ("faulty", deal(*screens))),
        rules=tuple(JudgedRule(rule=rule, result=RuleResult.MET) for rule in deal.some(3, *screens)),
        comparison=Comparison(
            rows=9, difference=0.1, low=0.0, high=0.2, level=0.95, resamples=9, method="bootstrap", worst_slice=part
        ),
        receipt=ReceiptSummary(released_bytes=1, released=1, held_back=1, network_bytes=0, failed_checks=("<b>",)),
        targets=tuple(
            TargetResult(target=target, deployed=True, reason=deal(*screens), endpoint=deal(*screens))
            for target in targets
        ),
        trace=deal(*screens),
    )
    world.ledger.runs.record_run(record)
    return request.run_id


def _request(world: World, number: int, snapshot: Snapshot, note: str, **more: object) -> RunRequest:
    fingerprint = f"{number:x}" * 64
    return a_run_request(
        run_id=f"{NAME}-{fingerprint[:12]}-1",
        pipeline=NAME,
        fingerprint=fingerprint,
        snapshot=snapshot,
        requested_by=f"by-{number}",
        requested_at=world.clock.now() + timedelta(minutes=number),
        note=note,
        **more,
    )


def _snapshot(world: World, names: Sequence[str]) -> Snapshot:
    """A snapshot whose manifest lists files of these names."""
    written, now = io.BytesIO(), world.clock.now()
    entries = [BlobEntry(name=name, etag='"1"', size=1, md5=None, last_modified=now) for name in sorted(names)]
    writer = ManifestWriter(written.write, pipeline=NAME, container=NAME, holdout=entries[0])
    for entry in entries:
        writer.add(entry)
    digest = writer.end()
    name = f"{NAME}/{digest}.json"
    world.blobs.keep_manifest(name, written)
    return a_snapshot(manifest=name, digest=digest, blobs=len(entries))


def cancelled(world: World, deal: Deal) -> str:
    request = _request(world, 0, a_snapshot(), deal("cancelled"))
    by = Actor(kind=ActorKind.PERSON, name=deal("cancelled"))
    world.ledger.runs.claim_run(request)
    world.ledger.runs.cancel(request.run_id, Cancellation(by=by, reason=deal("cancelled"), at=request.requested_at))
    ended = replace(first_record(request), outcome=Outcome.CANCELLED, ended_at=request.requested_at)
    world.ledger.runs.record_run(ended)
    return request.run_id
