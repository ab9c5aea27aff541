"""What is kept of a pipeline's past runs, and by which rule the rest goes. Pure.

Two things are kept for different times. The **image** of a run, with its signatures: while something may run it. Its
**record**, with its history, manifest and code: for so many days, and as long as its image. What serves, should serve,
is champion or is not over is never touched; neither is what the ledger does not know.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

UNPROMOTED = 3
"""Newest images that were built and never released, kept so that their runs can be resumed."""

SEEN_WITHIN = timedelta(days=1)
"""A target must have been looked at so lately before an image is removed: else nobody knows what it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """``keep_releases``: of the newest on each target, the images, for a roll-back. ``keep_days``: of records."""

    keep_releases: int = 3
    keep_days: int = 90

    def __post_init__(self) -> None:
        if self.keep_releases < 1 or self.keep_days < 1:
            raise ValueError("keep_releases and keep_days must be at least 1")


class Because(StrEnum):
    """Why something is kept, in words for the log and the docs."""

    UNFINISHED = "its run is not over"
    CHAMPION = "it is the champion, or what the champion was made from"
    SERVES = "a target runs it, or should"
    NEEDED = "a run that is not over, or an answer that was not sent yet, needs it"
    RELEASE = "it is one of the newest releases"
    RESUMABLE = "it is one of the newest images that were not released"
    RECENT = "it is not old enough"
    UNSEEN = "a target was not looked at lately"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run as far as retention is concerned. ``at``: its end, or the request while it is not over.

    ``image``: its digest; empty for none. ``released_to``: the targets that it was promoted on. ``manifest``: named by
    digest; ``code``: the digest of its tree; empty for none.
    """

    run_id: str
    pipeline: str
    at: datetime
    finished: bool
    image: str = ""
    released_to: tuple[str, ...] = ()
    manifest: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What the outside needs. ``running``: digests of images that targets run, or should run.

    ``running_runs``: their runs. ``needed``: runs that something else waits for. ``unseen``: targets that nobody looked
    at lately.
    """

    champion: str | None = None
    running: Collection[str] = ()
    running_runs: Collection[str] = ()
    needed: Collection[str] = ()
    unseen: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a run's image and record: the reason to keep it, or None, and then ``rule`` says why it goes."""

    image: Because | None
    record: Because | None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the kept runs refer to: digests of images, names of manifests, digests of code."""

    images: frozenset[str] = field(default_factory=frozenset)
    manifests: frozenset[str] = field(default_factory=frozenset)
    code: frozenset[str] = field(default_factory=frozenset)


def fates(runs: Iterable[PastRun], use: InUse, rule: RetentionRule, now: datetime) -> dict[str, Fate]:
    """The fate of each run of one pipeline, by run id."""
    known = sorted(runs, key=lambda run: (run.at, run.run_id), reverse=True)
    oldest = now - timedelta(days=rule.keep_days)
    releases, resumable = _newest_releases(known, rule), _newest_unreleased(known, oldest)
    found: dict[str, Fate] = {}
    for run in known:
        image = _held(run, use)
        if image is None and run.run_id in releases:
            image = Because.RELEASE
        if image is None and run.run_id in resumable:
            image = Because.RESUMABLE
        record = image
        if image is None and use.unseen:
            image = Because.UNSEEN
        if record is None and run.at >= oldest:
            record = Because.RECENT
        if record is None and image is not None and run.image:
            record = image  # a record outlives its image, by which the image is found
        found[run.run_id] = Fate(image=image, record=record, rule=_rule_text(rule, image=record is not None))
    return found


def references(runs: Iterable[PastRun], found: Mapping[str, Fate]) -> References:
    """What must stay because a kept run refers to it, whoever else does."""
    known = list(runs)
    images = {run.image for run in known if run.image and found[run.run_id].image is not None}
    kept = [run for run in known if found[run.run_id].record is not None]
    return References(
        images=frozenset(images),
        manifests=frozenset(run.manifest for run in kept if run.manifest),
        code=frozenset(run.code for run in kept if run.code),
    )


def _held(run: PastRun, use: InUse) -> Because | None:
    if not run.finished:
        return Because.UNFINISHED
    if run.run_id == use.champion:
        return Because.CHAMPION
    if run.run_id in use.running_runs or (run.image and run.image in use.running):
        return Because.SERVES
    return Because.NEEDED if run.run_id in use.needed else None


def _newest_releases(known: Iterable[PastRun], rule: RetentionRule) -> set[str]:
    """The newest releases on each target; ``known`` is newest first."""
    counts: dict[str, int] = {}
    kept: set[str] = set()
    for run in known:
        for target in run.released_to:
            counts[target] = counts.get(target, 0) + 1
            if counts[target] <= rule.keep_releases:
                kept.add(run.run_id)
    return kept


def _newest_unreleased(known: Iterable[PastRun], oldest: datetime) -> set[str]:
    """The newest images that were not released, while their records would stay anyway."""
    built = [run.run_id for run in known if run.finished and run.image and not run.released_to and run.at >= oldest]
    return set(built[:UNPROMOTED])


def _rule_text(rule: RetentionRule, *, image: bool) -> str:
    if image:
        return f"nothing runs it, and it is none of the newest {rule.keep_releases} releases (keep_releases)"
    return f"its run ended more than {rule.keep_days} days ago (keep_days), and nothing serves or needs it"
