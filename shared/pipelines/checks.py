"""What is wrong with pipelines whose files are valid: names that nothing defines, and conflicts among them. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import permutations

from shared.decisions.arrivals.watched_blobs import below_prefix, matches_pattern
from shared.pipelines.model import Data, Pipeline

VERIFY_SECONDS = 240
"""What verifying a candidate takes at the most besides the wait for its health: the link, the smoke sample, its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The names that pipelines may use: those in the settings (in lower case, ``-`` as ``_``), and folders with code.

    ``function_seconds``: after which the host ends an activity; None: never.
    """

    sites: Collection[str]
    computes: Collection[str]
    targets: Collection[str]
    folders: Collection[str]
    function_seconds: float | None = None


def unknown_names(pipeline: Pipeline, around: Surroundings) -> list[str]:
    """The undefined names that a pipeline uses, each with what to do about it."""
    found = [
        *_missing("data.site", pipeline.data.site, around.sites, "SITES"),
        *_missing("train.compute", pipeline.train.compute, around.computes, "COMPUTES"),
    ]
    for number, target in enumerate(pipeline.deliver.targets):
        found += _missing(f"deliver.targets.{number}.name", target.name, around.targets, "TARGETS")
    if pipeline.train.folder not in around.folders:
        found.append(f"train.folder: there is no training/{pipeline.train.folder} with a score.py; add it")
    return found


def outlives_its_function(pipeline: Pipeline, around: Surroundings) -> list[str]:
    """The settings with which an activity would take longer than the host allows a function."""
    limit = around.function_seconds
    if limit is None:
        return []
    most = limit - VERIFY_SECONDS
    remedy = "raise functionTimeout" if most < 1 else f"write {most:.0f} at most, or raise functionTimeout"
    return [
        f"deliver.targets.{number}.health_seconds: {target.health_seconds:.0f}, and up to {VERIFY_SECONDS} for the rest"
        f" of the verification, exceed functionTimeout in host.json ({limit:.0f} s), after which the host ends"
        f" the function; {remedy}"
        for number, target in enumerate(pipeline.deliver.targets)
        if target.health_seconds > most
    ]


def shared_models(pipelines: Iterable[Pipeline]) -> dict[str, str]:
    """Pipeline -> what is wrong, for those that register under the model name of another.

    Their versions would be one row, and nobody could say whose model a version is. The first by name keeps it.
    """
    owners: dict[str, Pipeline] = {}
    found: dict[str, str] = {}
    for pipeline in sorted(pipelines, key=lambda each: each.name):
        owner = owners.setdefault(pipeline.deliver.model.casefold(), pipeline)
        if owner is not pipeline:
            found[pipeline.name] = (
                f"deliver.model: {pipeline.deliver.model} is the model of pipeline {owner.name};"
                " give it a name of its own"
            )
    return found


def overlaps(pipelines: Sequence[Pipeline]) -> dict[str, list[str]]:
    """Pipeline -> what it shares with another one, which may be intended, and is reported and not refused.

    Two models from the same data are nothing wrong. Nor is it certain which names two patterns share: reported is
    what the one watches entirely, as far as its prefix and pattern say.
    """
    found: dict[str, list[str]] = {}
    for one, other in permutations(pipelines, 2):
        if (one.data.site, one.data.container) == (other.data.site, other.data.container):
            for what in _shared(one, other):
                found.setdefault(one.name, []).append(what)
    return found


def _shared(one: Pipeline, other: Pipeline) -> Iterator[str]:
    holdout = other.data.holdout
    if one.data.holdout != holdout and below_prefix(one.data, holdout) and matches_pattern(one.data, holdout):
        yield (
            f"data: includes {holdout}, the hold-out of pipeline {other.name}; narrow prefix or pattern"
            " unless this is intended"
        )
    if _covers(one.data, other.data) or _covers(other.data, one.data):
        yield (
            f"data: watches blobs that pipeline {other.name} watches too ({other.data.prefix}{other.data.pattern}), so"
            " that each new one trains both; narrow prefix or pattern unless this is intended"
        )


def _covers(wide: Data, narrow: Data) -> bool:
    """Whether all that one watches lies where the other watches too, judged by the text of prefix and pattern."""
    if not narrow.prefix.startswith(wide.prefix):
        return False
    # A pattern is also a name of its own kind: *.csv matches itself, and so does whatever is wider.
    return fnmatchcase(narrow.prefix.removeprefix(wide.prefix) + narrow.pattern, wide.pattern)


def _missing(field: str, name: str, known: Collection[str], variable: str) -> list[str]:
    key = name.replace("-", "_").lower()
    if key in known:
        return []
    setting = f"EDGETRAIN_{variable}__{key.upper()}__..."
    names = ", ".join(sorted(each.replace("_", "-") for each in known)) or "none"
    return [f"{field}: the app settings have no {setting}; add them, or name one that is there ({names})"]
