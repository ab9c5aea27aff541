"""Checks of a site's storage: that it answers, its clock, and what the app may do there, no less and no more."""

from collections.abc import Callable, Iterable
from typing import Final

from function_app.composition import Services
from function_app.doctor.clocks import MOST_SKEW, judged_clock
from shared.clients.hub_examination import Answer, Holdout, HubFacts, Right, examine_hub
from shared.doctor import Check, Kind, Seen, ok, skipped, unknown, wrong
from shared.doctor.once import Once
from shared.errors import EdgetrainError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.pipelines import Pipeline

_SECONDS: Final = 30.0
_NEEDED: Final = (Right.READ, Right.WRITE, Right.DELETE)
_TOO_MUCH: Final = (Right.READ, Right.WRITE, Right.CREATE, Right.ADD, Right.DELETE)
_RIGHTS: Final = "docs/rights.md says how to make the signature"


class _Hubs:
    """The facts of each site, seen once in an examination."""

    def __init__(self, only: frozenset[str] | None) -> None:
        self._only = only
        self._once: Once[HubFacts] = Once()

    def facts(self, services: Services, site: str) -> HubFacts:
        def look() -> HubFacts:
            holdouts = _holdouts(services, site, self._only)
            return examine_hub(site, services.settings.site(site), holdouts, rights=self._only is None)

        return self._once(site, look)

    def answers(self, services: Services, site: str) -> Seen:
        facts = self.facts(services, site)
        if facts.refused:
            newest = facts.newest
            remedy = (
                f"set {_setting(site, 'API_VERSION')} to {newest}, and make signatures of that version"
                if newest
                else ""
            )
            return wrong(
                f"it refuses version {facts.version}" + (f" and takes {newest}" if newest else ""), remedy=remedy
            )
        if facts.trouble is not None:
            raise facts.trouble
        return ok(f"it answers version {facts.version}")

    def after_it_answers(self, judge: Callable[[HubFacts, str, Services], Seen]) -> Callable[[Services, str], Seen]:
        """A check that has nothing to say of a storage that does not answer: ``hub.answers`` does."""

        def look(services: Services, site: str) -> Seen:
            try:
                facts = self.facts(services, site)
            except EdgetrainError:
                facts = None
            if facts is None or facts.refused or facts.trouble is not None:
                return skipped("it was not asked, see hub.answers")
            return judge(facts, site, services)

        return look

    def of_pipeline(self, judge: Callable[[HubFacts, Pipeline, Services], Seen]) -> Callable[[Services, str], Seen]:
        """The same for a pipeline: what it has on its site."""

        def look(services: Services, name: str) -> Seen:
            if name in services.pipelines.broken:
                return skipped("its file cannot be read")
            pipeline = services.pipelines.get(name)
            answered = self.after_it_answers(lambda facts, *_: judge(facts, pipeline, services))
            return answered(services, pipeline.data.site)

        return look


def checks(only: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination; ``only``: the pipelines that sites are looked at for, None for all."""
    hubs = _Hubs(only)
    return (
        Check(
            name="hub.answers",
            about=Kind.SITE,
            wanted="the site's storage answers requests of the version in the settings",
            why="without it nothing is seen of new data; a Stack Hub refuses versions that are newer than it is",
            remedy="see that the hub is up and reached from the app, and check the site's settings: docs/rights.md",
            look=hubs.answers,
            seconds=_SECONDS,
            for_runs=True,
        ),
        Check(
            name="hub.clock",
            about=Kind.SITE,
            wanted=f"its clock and the app's differ by less than {MOST_SKEW:.0f} s",
            why="signatures and sign-ins end by the clock, and what is still being written is told by it",
            remedy="have the hub keep time by NTP",
            look=hubs.after_it_answers(lambda facts, *_: judged_clock(facts.skew, "the storage's clock")),
            seconds=_SECONDS,
        ),
        Check(
            name="hub.list",
            about=Kind.SITE,
            wanted="the app may list the containers of its pipelines",
            why="snapshots are listings: without this right no run starts",
            remedy=f"give the app a signature with the right to list; {_RIGHTS}",
            look=hubs.after_it_answers(_may_list),
            seconds=_SECONDS,
        ),
        Check(
            name="hub.manifests",
            about=Kind.SITE,
            wanted=f"the container {MANIFESTS} is there, and the app may read, write and delete in it",
            why="what a run trains on is written there; deleting is for what is not kept any more",
            remedy=f"make the container and a signature for it with sp=rcwd; {_RIGHTS}",
            look=hubs.after_it_answers(_may_keep_manifests),
            seconds=_SECONDS,
        ),
        Check(
            name="hub.nothing_more",
            about=Kind.SITE,
            wanted="the app may neither read nor write, create, add or delete where data lies",
            why="rows are for the site alone: an app that cannot read them cannot lose them",
            remedy=f"give the app signatures with the right to list only, and never the account's key; {_RIGHTS}",
            look=hubs.after_it_answers(_may_do_nothing_more),
            seconds=_SECONDS,
        ),
        Check(
            name="data.container",
            about=Kind.PIPELINE,
            wanted="the pipeline's container is on its site",
            why="there is nothing to train on",
            remedy="create the container, or correct data.container in the pipeline's file",
            look=hubs.of_pipeline(_has_container),
            seconds=_SECONDS,
            for_runs=True,
        ),
        Check(
            name="data.holdout",
            about=Kind.PIPELINE,
            wanted="the hold-out that every model is measured on is there",
            why="no model is judged without it, so that no run starts",
            remedy="upload the hold-out, or correct data.holdout in the pipeline's file",
            look=hubs.of_pipeline(_has_holdout),
            seconds=_SECONDS,
            for_runs=True,
        ),
    )


def _holdouts(services: Services, site: str, only: frozenset[str] | None) -> list[tuple[str, str]]:
    there = [each for each in services.pipelines.all if each.data.site == site and (only is None or each.name in only)]
    return sorted({(each.data.container, each.data.holdout) for each in there})


def _setting(site: str, name: str) -> str:
    return f"EDGETRAIN_SITES__{site.replace('-', '_').upper()}__{name}"


def _data(facts: HubFacts) -> list[str]:
    return sorted(facts.rights.keys() - {MANIFESTS})


def _may_list(facts: HubFacts, *_: object) -> Seen:
    containers = _data(facts)
    if not containers:
        return skipped("no pipeline has data there")
    told = {each: facts.rights[each][Right.LIST] for each in containers}
    refused = [each for each in containers if told[each].answer is Answer.MAY_NOT]
    if refused:
        said = told[refused[0]].said
        return wrong(f"it may not list {_named(refused)} ({said}), by {facts.settings[refused[0]]}")
    unclear = [each for each in containers if told[each].answer is Answer.OTHER]
    return (
        unknown(f"of {_named(unclear)} it is not known: {told[unclear[0]].said}")
        if unclear
        else ok(f"it may list {_named(containers)}")
    )


def _may_keep_manifests(facts: HubFacts, *_: object) -> Seen:
    told = facts.rights[MANIFESTS]
    setting = facts.settings[MANIFESTS]
    if any(each.answer is Answer.MISSING for each in told.values()):
        return wrong(f"there is no container {MANIFESTS}", remedy=f"create the container {MANIFESTS}, once")
    missing = [right for right in _NEEDED if told[right].answer is Answer.MAY_NOT]
    if missing:
        return wrong(f"it may not {' nor '.join(missing)} there ({told[missing[0]].said}), by {setting}")
    unclear = [right for right in _NEEDED if told[right].answer is Answer.OTHER]
    if unclear:
        return unknown(f"whether it may {' and '.join(unclear)} is not known: {told[unclear[0]].said}")
    return ok("it may read, write and delete there")


def _may_do_nothing_more(facts: HubFacts, *_: object) -> Seen:
    may = {
        each: [right for right in _TOO_MUCH if facts.rights[each][right].answer is Answer.MAY] for each in _data(facts)
    }
    too_much = [container for container, rights in may.items() if rights]
    unclear = [each for each in may if any(facts.rights[each][right].answer is Answer.OTHER for right in _TOO_MUCH)]
    if not too_much and unclear:
        return unknown(f"of {_named(unclear)} it is not known")
    if not too_much:
        return ok("it may not")
    first = too_much[0]
    return wrong(f"it may also {' and '.join(may[first])} in {_named(too_much)}, by {facts.settings[first]}")


def _has_container(facts: HubFacts, pipeline: Pipeline, *_: object) -> Seen:
    container = pipeline.data.container
    answer = facts.rights[container][Right.LIST].answer
    if answer is Answer.MISSING:
        return wrong(f"site {pipeline.data.site} has no container {container}")
    return ok(f"{container} is there") if answer is Answer.MAY else skipped("it may not be listed, see hub.list")


def _has_holdout(facts: HubFacts, pipeline: Pipeline, services: Services) -> Seen:
    data = pipeline.data
    if facts.rights[data.container][Right.LIST].answer is not Answer.MAY:
        return skipped("its container could not be listed, see data.container and hub.list")
    holdout = facts.holdouts[data.container, data.holdout]
    if holdout is Holdout.EMPTY and services.ledger.champions.champion(pipeline.name).run_id is None:
        return skipped(f"{data.container} is empty: the hold-out comes with the first files")
    if holdout is not Holdout.THERE:
        return wrong(f"site {data.site} has no {data.container}/{data.holdout}")
    return ok(f"{data.container}/{data.holdout} is there")


def _named(containers: Iterable[str]) -> str:
    names = list(containers)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
