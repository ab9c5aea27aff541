"""Settings: complete, without slips of the pen, and readable by what uses them."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from function_app.composition import Services
from shared.clients.serving_targets import kind_of, settings_of
from shared.clients.ssh_keys import KeyTextError, host_key_line, private_key
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.settings import Settings, SshHost, TargetSettings
from shared.values.texts import counted

PREFIX: Final = "EDGETRAIN_"
_PLACEHOLDER: Final = re.compile(r"\s*<[^<>]+>\s*")
_REFERENCE: Final = re.compile(r"\s*@Microsoft\.KeyVault\(")
_MOST: Final = 8


def of_app(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment that are the app's, with their values."""
    bindings = ("AzureWebJobs", "ServiceBusConnection", "AZURE_CLIENT_ID")
    return {name: value for name, value in environment.items() if name.startswith((PREFIX, *bindings))}


def _complete(services: Services, _: str) -> Seen:
    try:
        settings = services.settings
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        named = [name for each in found[:_MOST] if (name := _name_of(each["loc"]))]
        said = "; ".join(_sentence(_name_of(each["loc"]), each["msg"]) for each in found[:_MOST])
        return wrong(said, remedy=f"set {', '.join(named)}" if named else "")
    except SettingsError as error:
        return wrong(str(error), remedy="set its parts one by one, or give a text of JSON")
    names = f"{counted(len(settings.sites), 'site')}, {counted(len(settings.computes), 'compute')}"
    return ok(f"{names}, {counted(len(settings.targets), 'target')}")


def _sentence(name: str, said: str) -> str:
    """What pydantic says of a setting, or of all of them together, which have no name."""
    plain = said.removeprefix("Value error, ")
    return f"{name}: {plain[:1].lower()}{plain[1:]}" if name else plain


def _name_of(where: tuple[int | str, ...]) -> str:
    if not where:
        return ""
    first = str(where[0])
    if first not in Settings.model_fields:  # named after its alias: a setting of the host's
        return first
    return PREFIX + "__".join(str(part).upper() for part in where)


def _placeholders(_: Services, __: str) -> Seen:
    left = sorted(name for name, value in of_app(os.environ).items() if _PLACEHOLDER.fullmatch(value))
    return wrong(f"still with the text of the example: {_some(left)}") if left else ok("none")


def _references(_: Services, __: str) -> Seen:
    left = sorted(name for name, value in of_app(os.environ).items() if _REFERENCE.match(value))
    return wrong(f"not resolved: {_some(left)}") if left else ok("all are resolved")


def _known(_: Services, __: str) -> Seen:
    given = {name: name.removeprefix(PREFIX).lower().split("__") for name in os.environ if name.startswith(PREFIX)}
    strange = sorted(name for name, path in given.items() if _is_ours(path) and not _is_read(path, Settings))
    return wrong(f"nothing reads {_some(strange)}") if strange else ok("each is read")


def _is_ours(path: list[str]) -> bool:
    """Whether a name is meant for the settings: others of one part are read elsewhere, such as by the log."""
    return len(path) > 1 or bool(get_close_matches(path[0], Settings.model_fields, cutoff=0.85))


def _is_read(path: list[str], model: type[BaseModel]) -> bool:
    """Whether a field of the model is set by the name with these parts."""
    field = model.model_fields.get(path[0])
    if field is None:
        return bool(model.model_config.get("extra") == "allow")  # of a target: its kind says, see settings.target
    if field.validation_alias is not None:
        return False
    inner, rest = _inner(field.annotation), path[1:]
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return not rest or _is_read(rest, inner)  # without a rest it is given as JSON
    if isinstance(inner, tuple):  # a mapping by name
        [value] = inner
        if isinstance(value, type) and issubclass(value, BaseModel):
            return len(rest) < 2 or _is_read(rest[1:], value)
        return len(rest) < 2
    return not rest


def _inner(annotation: Any) -> Any:
    """The model of a field, ``(type of the values,)`` of a mapping, or anything else as it is."""
    if getattr(annotation, "__origin__", None) is dict:
        return (get_args(annotation)[1],)
    models = [each for each in get_args(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    return models[0] if models else annotation


def _compute(services: Services, name: str) -> Seen:
    return _ssh(services.settings.compute(name), f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__")


def _ssh(host: SshHost, prefix: str) -> Seen:
    try:
        private_key(host.private_key.get_secret_value())
    except KeyTextError as error:
        return wrong(
            f"{prefix}PRIVATE_KEY {error}", remedy=f"copy the key into {prefix}PRIVATE_KEY again, with its lines"
        )
    try:
        host_key_line(host.host_key)
    except KeyTextError as error:
        remedy = f"ssh-keyscan -t ed25519 -p {host.port} {host.address}, compare it at the VM, set {prefix}HOST_KEY"
        return wrong(f"{prefix}HOST_KEY {error}", remedy=remedy)
    return ok(f"{host.username}@{host.address}:{host.port}")


def _target(services: Services, name: str) -> Seen:
    target = services.settings.target(name)
    own = settings_of(name, target)
    if strange := sorted(_unread(target, kind_of(name, target).Settings)):
        return wrong(f"a target of kind {target.kind} does not read {_some(strange)}")
    prefix = f"EDGETRAIN_TARGETS__{name.replace('-', '_').upper()}__"
    return _ssh(own, prefix) if isinstance(own, SshHost) else ok(f"a target of kind {target.kind}")


def _unread(target: TargetSettings, model: type[BaseModel]) -> Iterator[str]:
    return (key.upper() for key in target.own if key not in model.model_fields)


def _unused(services: Services, _: str) -> Seen:
    """Sites, computes and targets that no pipeline names."""
    every, settings = services.pipelines.all, services.settings
    used = {
        "SITES": {each.data.site for each in every},
        "COMPUTES": {each.train.compute for each in every},
        "TARGETS": {target.name for each in every for target in each.deliver.targets},
    }
    left = sorted(
        f"{PREFIX}{kind}__{key.upper()}"
        for kind, names in (
            ("SITES", list(settings.sites)),
            ("COMPUTES", list(settings.computes)),
            ("TARGETS", list(settings.targets)),
        )
        for key in names
        if key not in {name.replace("-", "_").lower() for name in used[kind]}
    )
    return skipped(f"no pipeline uses {_some(left)}") if left else ok("a pipeline uses each site, compute and target")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


CHECKS: Final = (
    Check(
        name="settings.complete",
        about=Kind.APP,
        wanted="every setting that the app needs, each of its kind",
        why="without them the app starts and fails at its first event",
        remedy="set what is missing; local.settings.json.example names every setting",
        look=_complete,
    ),
    Check(
        name="settings.placeholders",
        about=Kind.APP,
        wanted="no setting that still holds the text of the example",
        why="a text in angle brackets is an address or a secret that does not exist",
        remedy="replace each by its value, or remove the setting where it may be left out",
        look=_placeholders,
    ),
    Check(
        name="settings.key_vault",
        about=Kind.APP,
        wanted="every Key Vault reference resolved by the platform",
        why="the app would take the reference itself for the secret, and be refused",
        remedy="give the app's identity the role Key Vault Secrets User on the vault, and check name and version;"
        " the portal shows the state of each reference under the app's environment variables",
        look=_references,
        before_deployment=False,
    ),
    Check(
        name="settings.names",
        about=Kind.APP,
        wanted="every EDGETRAIN_ setting is one that the app reads",
        why="a misspelt setting is ignored in silence, and what it should change stays as it is",
        remedy="correct the name, or remove the setting; local.settings.json.example names every setting",
        look=_known,
    ),
    Check(
        name="settings.compute",
        about=Kind.COMPUTE,
        wanted="address, user, a private key that can be read, and the VM's host key",
        why="without them Azure ML cannot log in to the VM, or logs in to any machine that answers there",
        remedy="see docs/training-vm.md",
        look=_compute,
    ),
    Check(
        name="settings.target",
        about=Kind.TARGET,
        wanted="the settings of its kind, complete, and no others",
        why="a roll-out to the target would be refused after the training has been paid for",
        remedy="see docs/serving-vm.md or docs/serving-container-apps.md",
        look=_target,
    ),
    Check(
        name="settings.used",
        about=Kind.APP,
        wanted="a pipeline for each site, compute and target in the settings",
        why="what nothing uses holds secrets for nothing",
        remedy="remove the settings, or name them in a pipeline",
        look=_unused,
    ),
)
