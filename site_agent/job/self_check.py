"""Whether this VM could do the runs of some pipelines: asked over SSH by ``edgetrain doctor``, and changing nothing.

The question comes as JSON on the input, references only; the answer is one line of JSON with a word (``ok``, ``wrong``,
``unknown`` or ``skipped``) and a sentence for each matter. No data is read: a hold-out's properties
are.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from site_agent.job.failures import JobError, OutsideError, bounded
from site_agent.job.fields import Fields, parse_json, real, size, text, whole
from site_agent.job.installation import Installation
from site_agent.job.order import DataContract, Order, Resources
from site_agent.job.policy import Policy, load_policy

OK, WRONG, UNKNOWN, SKIPPED = "ok", "wrong", "unknown", "skipped"
LONGEST: Final = 1024 * 1024
_MOST_NAMED: Final = 20
_REASON: Final = 500

Told = dict[str, str]
"""``state`` and ``said``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A pipeline, as far as the VM is concerned. ``order``: one that its runs would bring, without what differs."""

    order: Order
    prefix: str
    holdout: str


def self_check(stream: IO[bytes], installation: Installation) -> str:
    """The answer to what is read from ``stream``; raises ``ValueError`` when it is not understood."""
    fields = Fields(parse_json(stream.read(LONGEST).decode("utf-8")))
    registry = fields.get("registry", text(most=300))
    credentials = fields.get("credentials", text(most=64), "")
    pipelines = [_asked(part, registry) for _, part in fields.part("pipelines").parts()]
    sites = sorted({each.order.site for each in pipelines})
    answer = {
        "version": installation.version,
        "policy": _policy(installation, pipelines),
        "key": _key(installation),
        "credentials": {site: _credentials(installation, site) for site in sites},
        "data": {each.order.pipeline: _data(installation, each) for each in pipelines},
        "registry": _registry(installation, registry, credentials),
        "left": _left(installation),
        "free": _free(installation.state),
    }
    return json.dumps(answer, sort_keys=True)


def _asked(fields: Fields, registry: str) -> Asked:
    asked = fields.part("resources")
    resources = Resources(
        memory=asked.get("memory", size),
        cpus=asked.get("cpus", real(0.0, 100_000)),
        gpus=asked.get("gpus", whole(0, 100_000)),
        disk=asked.get("disk", size),
    )
    order = Order(
        run_id="self-check",
        pipeline=fields.path.rpartition(".")[2],
        site=fields.get("site", text(most=63)),
        container=fields.get("container", text(most=63)),
        manifest_container="",
        manifest="",
        image=f"{registry}/self-check",
        train="",
        evaluate="",
        parameters={},
        resources=resources,
        seconds=fields.get("seconds", whole(0, 1 << 40)),
        data=DataContract(format="files"),
        model_format=fields.get("model_format", text(most=40)),
        judged_metric="",
    )
    return Asked(
        order=order, prefix=fields.get("prefix", _text_or_empty), holdout=fields.get("holdout", text(most=2_000))
    )


def _text_or_empty(value: Any) -> str:
    return "" if value == "" else text(most=2_000)(value)


def _told(state: str, said: object = "") -> Told:
    return {"state": state, "said": bounded(str(said), _REASON)}


def _policy(installation: Installation, pipelines: list[Asked]) -> Told:
    """Whether the site's policy can be read, and allows what the pipelines ask."""
    try:
        policy = load_policy(installation.policy, shown=installation.shown(installation.policy))
    except JobError as error:
        return _told(WRONG, error)
    refusals = [f"{each.order.pipeline}: {said}" for each in pipelines if (said := _refusal(policy, each))]
    return _told(WRONG, "; ".join(refusals[:_MOST_NAMED])) if refusals else _told(OK)


def _refusal(policy: Policy, asked: Asked) -> str:
    try:
        policy.check(asked.order)
        # Of a pipeline without a prefix the names of its blobs decide, at each run.
        policy.check_blobs(asked.order.pipeline, [asked.holdout, *([asked.prefix] if asked.prefix else [])])
    except JobError as error:
        return str(error)
    return ""


def _key(installation: Installation) -> Told:
    """The public key that receipts are verified with."""
    from site_agent.job.guard.signing import load_key, public_pem

    try:
        return _told(OK) | {"said": public_pem(load_key(installation.signing_key)).decode("ascii")}
    except JobError as error:
        return _told(WRONG, error)


def _credentials(installation: Installation, site: str) -> Told:
    from site_agent.job.hub import load_site

    try:
        load_site(site, installation.sites)
    except JobError as error:
        return _told(WRONG, error)
    return _told(OK)


def _data(installation: Installation, asked: Asked) -> Told:
    """Whether the hold-out can be read with the credentials of this VM; nothing of it is."""
    from site_agent.job.hub import HubReader, TransferError, load_site

    order = asked.order
    try:
        reader = HubReader(load_site(order.site, installation.sites), seconds=5)
    except JobError as error:
        return _told(SKIPPED, error)
    try:
        reader.require_access(order.container, asked.holdout)
    except TransferError as error:
        return _told(UNKNOWN, error)
    except JobError as error:
        return _told(WRONG, error)
    finally:
        reader.close()
    return _told(OK)


def _registry(installation: Installation, host: str, credentials: str) -> Told:
    """Whether the VM pulls with the credentials of which this is the SHA-256; empty: with none."""
    try:
        found = _pull_credentials(installation, host)
    except OutsideError as error:
        return _told(WRONG, error)
    if not found and credentials:
        return _told(WRONG, f"the VM has no credentials for {host}")
    if found and hashlib.sha256(found.encode()).hexdigest() != credentials:
        return _told(WRONG, f"the VM has other credentials for {host} than the app's settings")
    return _told(OK)


def _pull_credentials(installation: Installation, host: str) -> str:
    """User and password that the VM pulls with from a registry; empty when it has none."""
    path = installation.registry_auth
    if path is None:
        return ""
    name = installation.shown(path)
    try:
        if path.stat().st_mode & 0o077:
            raise OutsideError(f"{name} can be read by others; run chmod 600 on it")
        auths = json.loads(path.read_text(encoding="utf-8"))["auths"]
        return base64.b64decode(auths[host]["auth"]).decode("utf-8") if host in auths else ""
    except OSError as error:
        raise OutsideError(f"{name} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise OutsideError(f"{name} is not what podman login writes") from None


def _left(installation: Installation) -> Told:
    """What jobs left that are dead, and no later job has removed yet."""
    from site_agent.job.sweep import known_runs

    engine = installation.engine_for("")
    try:
        runs = known_runs(installation.runs) | set(engine.containers().values())
    except (JobError, OSError) as error:
        return _told(UNKNOWN, error if isinstance(error, JobError) else error.strerror)
    left = sorted(run for run in runs if not _is_locked(installation.runs / f"{run}.lock"))
    return _told(WRONG, f"{len(left)}: {', '.join(left[:_MOST_NAMED])}") if left else _told(OK)


def _is_locked(path: Path) -> bool:
    """Whether the job of a run is alive; a moment's shared lock does not keep a job from its own for long."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _free(folder: Path) -> int:
    """Bytes that are free where runs work; -1 when that is not known."""
    with contextlib.suppress(OSError):
        place = next(_existing(folder))
        return shutil.disk_usage(place).free
    return -1


def _existing(folder: Path) -> Iterator[Path]:
    return (each for each in (folder, *folder.parents) if each.exists())
