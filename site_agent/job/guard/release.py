"""The egress guard: the only way from a run to what is sent to the cloud.

What a run produced is looked at, and either all that may leave is copied to the outputs, or nothing but a reason.
Either way the outputs get a signed receipt. Nothing else writes there, and nothing else has credentials to send.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from site_agent.job import VERSION
from site_agent.job.failures import TrainingError, bounded
from site_agent.job.guard import findings as names
from site_agent.job.guard.comparison import comparison_that_may_leave
from site_agent.job.guard.contents import NEEDED, SMOKE, Contents, ModelFile, read_model
from site_agent.job.guard.findings import Finding, listed
from site_agent.job.guard.formats import FormatRules
from site_agent.job.guard.inspection import Box, Look, inspect
from site_agent.job.guard.metrics import Metrics, checked, read_metrics, rounded
from site_agent.job.guard.pieces import Collected, Recognised, collect
from site_agent.job.guard.receipt import FAILED, PASSED, Check, HeldBack, Receipt, Released, Traffic
from site_agent.job.guard.samples import Reference
from site_agent.job.guard.signing import PrivateKey, sign
from site_agent.job.order import Order
from site_agent.job.policy import Policy

LARGEST_SMOKE: Final = 64 * 1024
MODEL: Final = "model"
_CHAMPION: Final = "champion.json"
_METRICS: Final = "metrics.json"
_RECEIPT, _ENVELOPE, _CHECKSUMS = "receipt.json", "receipt.dsse.json", "checksums.json"


class EgressRefusedError(TrainingError):
    """Something that was produced may not leave. ``findings``: what and where; ``receipt``: what was written."""

    def __init__(self, reason: str, findings: Sequence[Finding], receipt: Receipt) -> None:
        super().__init__(bounded(reason))
        self.findings, self.receipt = findings, receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What a run produced. ``model`` and ``evaluation``: folders; ``training``: where MLflow wrote in training.

    ``champion``: the document about the champion with the comparison; ``smoke``: the sample with its answer, as JSON.
    """

    model: Path
    evaluation: Path
    training: Path | None = None
    champion: Mapping[str, Any] | None = None
    smoke: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the job itself knows of the run."""

    started_at: datetime
    network: Sequence[Traffic] = ()
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def release(
    produced: Produced,
    policy: Policy,
    order: Order,
    reference: Reference,
    box: Box | None,
    *,
    into: Path,
    facts: Facts,
    key: PrivateKey,
    held_out: Reference | None = None,
) -> Receipt:
    """Copy what may leave to ``into``, the run's outputs, with a receipt.

    ``reference``: where the training rows are; ``held_out``: and those to judge by.
    Raises :class:`EgressRefusedError` after writing a receipt when something may not, and :class:`TrainingError`
    without one when there are no metrics to judge.
    """
    rule = policy.rule(order.pipeline)
    metrics = read_metrics(
        produced.evaluation, produced.training, judged=order.judged_metric, most=policy.leaves.metrics
    )
    formats = FormatRules(
        most=policy.limits.model,
        pickles=order.model_format == "pickle" and rule.pickles == "allowed",
        extra_types=rule.extra_types,
    )
    champion = _champion(produced.champion, metrics, policy)
    documents = {_METRICS: _json(metrics.numbers), _CHAMPION: None if champion is None else _json(champion)}
    with read_model(produced.model, formats) as contents:
        others = [("metrics", _recognised(metrics.numbers)), *_smoke(produced.smoke)]
        if champion is not None:
            others.append(("metrics of the champion", _recognised(champion["metrics"])))
        look = inspect(
            contents.files,
            others,
            reference,
            box,
            rule=rule,
            least_rows=policy.leaves.least_rows,
            model=produced.model,
            held_out=held_out,
        )
        held_back = [replace(each, name=_shown(each.name, look)) for each in contents.held_back]
        findings = [*_missing_model(contents.files, held_back), *look.findings]
        checks = [_formats_check(contents, findings), *names.checks(look.findings, look.details), *look.others]
        draft = _draft(policy, order, facts, [*held_back, *_not_taken(metrics)], checks)
        if findings:
            reason = f"what the training made may not leave the site: {listed(str(each) for each in sorted(findings))}"
            receipt = _refused(draft, reason, into, facts, key)
            raise EgressRefusedError(reason, findings, receipt)
        released = _all_copied(contents, {**documents, f"{MODEL}/{SMOKE}": produced.smoke}, into)
    return publish(_with(draft, released, facts), into, key)


def release_reason(
    reason: str, policy: Policy | None, order: Order, into: Path, *, facts: Facts, key: PrivateKey
) -> Receipt:
    """The receipt of a run that failed elsewhere: nothing but the reason left, which is our own sentence."""
    return _refused(_draft(policy, order, facts, [], []), reason, into, facts, key)


def publish(receipt: Receipt, into: Path, key: PrivateKey) -> Receipt:
    """Write a receipt, its envelope, and sizes and MD5s of all files, for whoever downloads them."""
    into.mkdir(parents=True, exist_ok=True)
    (into / _RECEIPT).write_bytes(receipt.as_bytes())
    (into / _ENVELOPE).write_text(json.dumps(sign(receipt, key)), encoding="ascii")
    sums = {path.relative_to(into).as_posix(): _checksum(path) for path in sorted(into.rglob("*")) if path.is_file()}
    (into / _CHECKSUMS).write_text(json.dumps(sums), encoding="ascii")
    return receipt


def _checksum(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return {"size": path.stat().st_size, "md5": md5}


def _draft(
    policy: Policy | None, order: Order, facts: Facts, held_back: Sequence[HeldBack], checks: Sequence[Check]
) -> Receipt:
    return Receipt(
        run_id=order.run_id,
        pipeline=order.pipeline,
        job_version=VERSION,
        policy_sha256=policy.sha256 if policy is not None else "",
        image=order.image,
        held_back=held_back,
        checks=checks,
        network=facts.network,
        started_at=_time(facts.started_at),
    )


def _with(draft: Receipt, released: Sequence[Released], facts: Facts) -> Receipt:
    fields = {name: getattr(draft, name) for name in Receipt.__dataclass_fields__}
    return Receipt(**fields | {"released": released, "ended_at": _time(facts.now())})


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")


def _refused(draft: Receipt, reason: str, into: Path, facts: Facts, key: PrivateKey) -> Receipt:
    said = bounded(reason).encode("utf-8")
    digest = hashlib.sha256(said).hexdigest()
    told = Released(name="reason", kind="reason", bytes=len(said), sha256=digest, rule="our own sentence")
    return publish(_with(draft, [told], facts), into, key)


def _shown(name: str, look: Look) -> str:
    """The name of a file that is held back, unless it holds a text of the data."""
    return name if look.shown(name) == name else ""


def _missing_model(files: Sequence[ModelFile], held_back: Sequence[HeldBack]) -> list[Finding]:
    """A model that would leave without a part of it serves nobody; better the run ends here, with the reason."""
    if not files:
        held = listed(f"{each.name or 'a file'}: {each.reason}" for each in held_back)
        what = f"no file of it may leave ({held})" if held else "training wrote no file there"
        return [Finding(check=names.FORMATS, where=MODEL, what=what)]
    return [
        Finding(check=names.FORMATS, where=f"{MODEL}/{each.name}".rstrip("/"), what=_not_whole(each))
        for each in held_back
        if each.kind == NEEDED
    ]


def _not_whole(held: HeldBack) -> str:
    return f"{held.reason}; it is held back, and the rest is no whole model"


def _formats_check(contents: Contents, findings: Sequence[Finding]) -> Check:
    kinds = ", ".join(sorted({file.recognised.kind for file in contents.files})) or "none"
    failed = any(each.check == names.FORMATS for each in findings)
    detail = f"{len(contents.files)} files of kinds that may leave ({kinds}), {len(contents.held_back)} held back"
    return Check(name=names.FORMATS, result=FAILED if failed else PASSED, detail=detail)


def _not_taken(metrics: Metrics) -> list[HeldBack]:
    if not metrics.left_out:
        return []
    reason = f"{metrics.left_out} metrics have other names than may leave, or are too many"
    return [HeldBack(name="metrics", kind="metric", bytes=0, reason=reason)]


def _champion(document: Mapping[str, Any] | None, metrics: Metrics, policy: Policy) -> dict[str, Any] | None:
    """The document about the champion, with the metrics that the new model has too."""
    if document is None:
        return None
    numbers = checked(document.get("metrics") or {}, of="the champion's metrics.json")
    numbers = {name: value for name, value in sorted(numbers.items()) if name in metrics.numbers}
    return {
        "run_id": str(document["run_id"])[:128],
        "metrics": {name: rounded(value) for name, value in numbers.items()},
        "trouble": bounded(str(document.get("trouble") or "")),
        "comparison": comparison_that_may_leave(
            document.get("comparison"), slices=policy.leaves.slices, least_rows=policy.leaves.least_rows
        ),
    }


def _smoke(smoke: bytes | None) -> list[tuple[str, Recognised]]:
    if smoke is None:
        return []
    if len(smoke) > LARGEST_SMOKE:
        raise TrainingError(f"the answer to sample.json makes {SMOKE} larger than {LARGEST_SMOKE // 1024} KiB")
    return [(f"{MODEL}/{SMOKE}", _recognised(json.loads(smoke)))]


def _recognised(document: Any) -> Recognised:
    texts = Collected()
    collect(document, texts)
    return Recognised("json", "written by the job", texts.pieces("values"), texts.strings)


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, allow_nan=False).encode("utf-8")


def _all_copied(contents: Contents, documents: Mapping[str, bytes | None], into: Path) -> list[Released]:
    """Copy everything, or leave nothing."""
    try:
        released = [_copied(file, into) for file in contents.files]
        return released + [_written(name, each, into) for name, each in documents.items() if each is not None]
    except BaseException:
        for name in (*(f"{MODEL}/{file.name}" for file in contents.files), *documents):
            (into / name).unlink(missing_ok=True)
        raise


def _copied(file: ModelFile, into: Path) -> Released:
    """Copy what was opened and looked at; the copy must have the digest that the file had before."""
    copied = hashlib.sha256()
    with _new_file(f"{MODEL}/{file.name}", into) as out:
        for chunk in file.span.chunks():
            copied.update(chunk)
            out.write(chunk)
    if copied.hexdigest() != file.sha256:
        raise TrainingError("a file of the model was changed while it was looked at")
    return Released(
        name=f"{MODEL}/{file.name}",
        kind=file.recognised.kind,
        bytes=file.span.length,
        sha256=file.sha256,
        rule=file.recognised.rule,
    )


def _written(name: str, content: bytes, into: Path) -> Released:
    with _new_file(name, into) as out:
        out.write(content)
    digest = hashlib.sha256(content).hexdigest()
    return Released(name=name, kind="json", bytes=len(content), sha256=digest, rule=_RULES[name])


_RULES: Final = {
    _METRICS: "finite numbers under plain names, six digits",
    _CHAMPION: "finite numbers, interval, counts and listed slices",
    f"{MODEL}/{SMOKE}": "the committed sample and the model's answer, at most 64 KiB",
}


def _new_file(name: str, into: Path) -> Any:
    path = into / name
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o644), "wb")
