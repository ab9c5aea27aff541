"""What there is to look at: everything the settings and pipelines name, or what belongs to a site."""

from collections.abc import Iterable, Mapping, Sequence

from function_app.composition import Services
from shared.doctor import Kind
from shared.pipelines import Pipeline

Subjects = Mapping[Kind, Sequence[str]]


def everything(services: Services) -> Subjects:
    """The app, and each site, compute, target and pipeline, those too that only the settings name."""
    settings = services.settings
    used = _of(services.pipelines.all)
    named = {
        Kind.SITE: list(settings.sites),
        Kind.COMPUTE: list(settings.computes),
        Kind.TARGET: list(settings.targets),
    }
    found = {kind: _joined(used[kind], names) for kind, names in named.items()}
    broken = [name for name in services.pipelines.broken if name not in used[Kind.PIPELINE]]
    return {Kind.APP: [""], **found, Kind.PIPELINE: sorted([*used[Kind.PIPELINE], *broken])}


def of_site(services: Services, site: str) -> Subjects:
    """A site with its pipelines, and the computes and targets that these use. The app itself belongs to every site."""
    return {**_of(pipeline for pipeline in services.pipelines.all if pipeline.data.site == site), Kind.APP: [""]} | {
        Kind.SITE: [site]
    }


def _of(pipelines: Iterable[Pipeline]) -> dict[Kind, list[str]]:
    chosen = list(pipelines)
    return {
        Kind.SITE: sorted({each.data.site for each in chosen}),
        Kind.COMPUTE: sorted({each.train.compute for each in chosen}),
        Kind.TARGET: sorted({target.name for each in chosen for target in each.deliver.targets}),
        Kind.PIPELINE: sorted(each.name for each in chosen),
    }


def _joined(used: Iterable[str], settings: Iterable[str]) -> list[str]:
    """The names as pipelines write them, and those that only the settings have, as these write them."""
    names = {name.replace("-", "_").lower(): name for name in used}
    return sorted({**{key: key for key in settings}, **names}.values())
