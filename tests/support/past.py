"""A past in memory: runs with everything that they leave behind, in stores whose sizes can be told."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.messages import (
    Champion,
    FrozenJob,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    ReleaseState,
    RunRecord,
    RunRequest,
    Serving,
    ServingPlan,
    TargetResult,
    Verdict,
    WindowVerdict,
)
from tests.support.builders import a_plan, a_snapshot
from tests.support.durable_client import Instance, RuntimeStatus
from tests.support.image_registry import InMemoryRegistry
from tests.support.reconciler import PIPELINE, WatchedWorld

TARGET = "hub-vm"
CHILDREN = ("", "-compute", "-training", "-registration", "-image", f"-target-{TARGET}")
KEPT_ON_TARGET = 3


@dataclass
class Blobs:
    """Manifests, or frozen code: name -> when it was last stored or found stored."""

    used: dict[str, datetime] = field(default_factory=dict)
    now: datetime | None = None

    def hub(self, site: str) -> "Blobs":
        return self

    def remove_manifest(self, name: str, *, unused_for: timedelta) -> bool:
        assert self.now is not None
        return self._remove(name, self.now - unused_for)

    def remove(self, tree: str, *, unused_for: timedelta, now: datetime) -> bool:
        return self._remove(tree, now - unused_for)

    def _remove(self, name: str, before: datetime) -> bool:
        if name in self.used and self.used[name] > before:
            return False
        self.used.pop(name, None)
        return True


@dataclass
class Past:
    """A world whose runs leave something behind. ``served``: the runs that the target has the images of."""

    world: WatchedWorld
    manifests: Blobs = field(default_factory=Blobs)
    code: Blobs = field(default_factory=Blobs)
    registry: InMemoryRegistry = field(default_factory=InMemoryRegistry)
    served: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.services.__dict__["hubs"] = self.manifests
        self.world.services.__dict__["frozen_jobs"] = self.code
        self.world.services.__dict__["container_registry"] = self.registry

    def has_run(self, number: int, outcome: Outcome | None = Outcome.PROMOTED, *, image: bool = True) -> RunRecord:
        """A run that began and ended now, with all that it left."""
        world, now = self.world, self.world.now
        fingerprint = hashlib.sha256(str(number).encode()).hexdigest()
        run_id = f"{PIPELINE}-{fingerprint[:12]}-1"
        window_id = f"{PIPELINE}-{now:%Y%m%dT%H%M%S}-{number:08x}"
        tree = hashlib.sha256(f"code {number // 50}".encode()).hexdigest()
        snapshot = a_snapshot(manifest=f"{PIPELINE}/{fingerprint}.json", digest=fingerprint)
        plan = a_plan(job=FrozenJob(folder="breast_cancer", tree=tree))
        request = world.claims(
            run_id=run_id,
            fingerprint=fingerprint,
            requested_by=window_id,
            requested_at=now,
            snapshot=snapshot,
            plan=plan,
        )
        self.manifests.used[snapshot.manifest] = self.code.used[tree] = now
        self._arrives(number, window_id, run_id)
        world.ledger.requests.claim("bus", fingerprint[:32], body_digest="", instance_id=f"bus-{number}", at=now)
        for child in CHILDREN:
            world.client.instances[f"{run_id}{child}"] = Instance(
                name="x", runtime_status=RuntimeStatus.Completed, created_time=now
            )
        world.client.instances[window_id] = Instance(name="y", runtime_status=RuntimeStatus.Completed, created_time=now)
        return self._ends(request, outcome, self._image(run_id) if image else None)

    def size(self) -> dict[str, int]:
        """How much there is in each store."""
        tables = self.world.ledger._tables.tables  # type: ignore[attr-defined]
        days = sum(key.startswith("d-") for _, key in tables["arrivals"]._rows)
        rows = {f"rows of {word}": len(table._rows) for word, table in tables.items()}
        return {
            "manifests": len(self.manifests.used),
            "code": len(self.code.used),
            "tags": len(self.registry.tags(f"models/{PIPELINE}")),
            "histories": len(self.world.client.instances),
            **rows,
            "rows of arrivals": rows["rows of arrivals"] - days,
            "days counted": days,
        }

    def _ends(self, request: RunRequest, outcome: Outcome | None, image: str | None) -> RunRecord:
        ledger, now = self.world.ledger, self.world.now
        record = ledger.runs.run(request.run_id)
        assert record is not None
        if outcome is None:
            return record
        deployed = outcome is Outcome.PROMOTED
        targets = (TargetResult(target=TARGET, deployed=deployed),) if image else ()
        ended = replace(record, outcome=outcome, ended_at=now, image=image, targets=targets)
        ledger.runs.record_run(ended)
        if deployed and image:
            self._serves(request.run_id, image)
        return ended

    def _serves(self, run_id: str, image: str) -> None:
        ledger, now = self.world.ledger, self.world.now
        self.served = [*self.served, run_id][-KEPT_ON_TARGET:]
        plan = ServingPlan(
            target=TARGET,
            pipeline=PIPELINE,
            releases=(PlannedRelease(run_id=run_id, image=image, weight=100),),
        )
        ledger.targets.desire(plan, by=run_id, at=now)
        ledger.champions.crown(Champion(pipeline=PIPELINE, run_id=run_id, image=image), since=now)
        self.sees(run_id, image)

    def sees(self, run_id: str, image: str) -> None:
        """The target is looked at."""
        live = ObservedRelease(run_id=run_id, image=image, state=ReleaseState.HEALTHY, weight=100)
        serving = Serving(target=TARGET, pipeline=PIPELINE, releases=(live,), kept=tuple(self.served))
        self.world.ledger.targets.saw(serving, at=self.world.now)

    def _image(self, run_id: str) -> str:
        repository = f"models/{PIPELINE}"
        body = json.dumps({"run": run_id}).encode()
        self.registry.put_manifest(repository, run_id, body, media_type="image")
        digest = self.registry.manifests[repository, run_id].digest
        signature = json.dumps({"subject": {"digest": digest}}).encode()
        name = f"sha256:{hashlib.sha256(signature).hexdigest()}"
        self.registry.put_manifest(repository, name, signature, media_type="signature")
        index = json.dumps({"manifests": [{"digest": name}]}).encode()
        self.registry.put_manifest(repository, digest.replace(":", "-"), index, media_type="index")
        return f"registry.example/{repository}@{digest}"

    def _arrives(self, number: int, window_id: str, run_id: str) -> None:
        ledger, now = self.world.ledger, self.world.now
        _, window = self.world.arrives(event_id=f"e-{number}", blob=f"data/{number}.csv", received_at=now)
        ledger.arrivals.window_started(window)
        ledger.arrivals.close_window(window)
        verdict = WindowVerdict(
            window_id=window.window_id, pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="trained", run_id=run_id
        )
        ledger.arrivals.record_verdict(verdict)
