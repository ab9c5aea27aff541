"""Checks of the container registry: what the app may do there, and that those who only pull may do nothing else."""

from typing import Any, Final

from pydantic import SecretStr

from function_app.composition import Services
from function_app.doctor.machines import served_by, trained_on
from shared.clients.container_registry import connect
from shared.clients.registry_examination import RegistryRight, refusal
from shared.clients.serving_targets import settings_of
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.errors import EdgetrainError
from shared.pipelines import Pipeline
from shared.settings import ContainerRegistry

DOCTOR_TIMEOUT: Final = (4.0, 8.0)
_SECONDS: Final = 25.0
_RIGHTS: Final = "docs/rights.md says which rights each credential needs"


def checks(_: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination."""
    return (
        Check(
            name="registry.rights",
            about=Kind.APP,
            wanted="the app may pull, push and mount",
            why="without it no image of a model is built",
            remedy=f"give the app's credential the right to pull and push on models/* and scoring/*; {_RIGHTS}",
            look=lambda services, _: _app(services, RegistryRight.PULL, RegistryRight.PUSH, RegistryRight.MOUNT),
            seconds=_SECONDS,
        ),
        Check(
            name="registry.retention",
            about=Kind.APP,
            wanted="the app may list tags and delete",
            why="images that are not kept any more stay, and cost",
            remedy=f"give the app's credential the rights delete and metadata read on models/*; {_RIGHTS}",
            look=_retention,
            seconds=_SECONDS,
        ),
        Check(
            name="compute.pull_user",
            about=Kind.COMPUTE,
            wanted="the user of the VM may pull, and not push",
            why="who gets into a VM at a site must not be able to change what others run",
            remedy=f"give the compute a token that may only pull; {_RIGHTS}",
            look=_compute,
            seconds=_SECONDS,
        ),
        Check(
            name="target.pull_user",
            about=Kind.TARGET,
            wanted="the user of the target may pull, and not push",
            why="who gets into a target must not be able to change what others run",
            remedy=f"give the target a token that may only pull; {_RIGHTS}",
            look=_target,
            seconds=_SECONDS,
        ),
    )


def _repositories(pipeline: Pipeline) -> tuple[str, str]:
    return f"models/{pipeline.name}", f"scoring/{pipeline.train.folder}"


def _app(services: Services, *rights: RegistryRight) -> Seen:
    pipelines = services.pipelines.all
    if not pipelines:
        return skipped("there is no pipeline")
    models, scoring = _repositories(pipelines[0])
    with services.own_registry(DOCTOR_TIMEOUT) as registry:
        for right in rights:
            why = refusal(registry, right, models, source=scoring)
            if why is not None:
                return wrong(f"it may not {right}: {why.reason}")
    return ok(f"it may {', '.join(rights)}")


def _retention(services: Services, _: str) -> Seen:
    try:
        pulls = _app(services, RegistryRight.PULL)
    except EdgetrainError:
        return skipped("the registry does not answer, see registry.rights")
    if pulls.found.startswith("it may not"):
        return skipped("it may not even pull, see registry.rights")
    return _app(services, RegistryRight.TAGS, RegistryRight.DELETE)


def _compute(services: Services, name: str) -> Seen:
    compute = services.settings.compute(name)
    pipelines = trained_on(services, name)
    return _pulls_only(services, compute.pull_username, compute.pull_password, pipelines)


def _target(services: Services, name: str) -> Seen:
    own: Any = settings_of(name, services.settings.target(name))
    password = getattr(own, "pull_password", SecretStr(""))
    return _pulls_only(services, getattr(own, "pull_username", ""), password, served_by(services, name))


def _pulls_only(services: Services, username: str, password: SecretStr, pipelines: list[Pipeline]) -> Seen:
    if not username:
        return skipped("the settings name no user for it")
    if not pipelines:
        return skipped("no pipeline uses it")
    models, _ = _repositories(pipelines[0])
    url = services.settings.container_registry.url
    settings = ContainerRegistry(url=url, username=username, password=password)
    with connect(settings, timeout=DOCTOR_TIMEOUT) as registry:
        if (why := refusal(registry, RegistryRight.PULL, models)) is not None:
            return wrong(f"it may not pull: {why.reason}")
        if refusal(registry, RegistryRight.PUSH, models) is None:
            return wrong(f"user {username} may also push")
    return ok(f"user {username} may pull, and not push")
