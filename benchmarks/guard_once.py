"""Let the egress guard decide about one model, in a process of its own; prints seconds, peak memory and the outcome.

python -m benchmarks.guard_once DATA_FOLDER MODEL_FOLDER OUTPUTS
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.peaks import peak_megabytes
from site_agent.job.guard.release import EgressRefusedError, Facts, Produced, release
from site_agent.job.guard.samples import Reference
from site_agent.job.order import parse_order
from site_agent.job.policy import parse_policy

POLICY = b"""\
registries: [registry.example]
pipelines: {"*": {site: s, containers: [c], prefixes: [""]}}
"""
ORDER = {
    "schema": 1,
    **dict.fromkeys(("run_id", "pipeline", "container", "manifest_container", "manifest", "judged_metric"), "c"),
    "site": "s",
    "image": f"registry.example/scoring/c@sha256:{'0' * 64}",
    "train": "true",
    "evaluate": "true",
    "parameters": {},
    "resources": {"memory": "1g", "cpus": 1, "disk": "1g"},
    "seconds": 60,
    "data": {"format": "files"},
}


def main() -> None:
    data, model, outputs = map(Path, sys.argv[1:])
    evaluation = outputs.parent / "evaluation"
    evaluation.mkdir(exist_ok=True)
    (evaluation / "metrics.json").write_text('{"c": 0.5}')
    key = ec.generate_private_key(ec.SECP256R1())
    facts = Facts(started_at=datetime.now(UTC))
    produced = Produced(model=model, evaluation=evaluation)
    policy, order = parse_policy(POLICY, file="policy.yaml"), parse_order(json.dumps(ORDER))
    start, before = time.perf_counter(), time.process_time()
    try:
        released = release(produced, policy, order, Reference(folder=data), None, into=outputs, facts=facts, key=key)
        outcome = [each.name for each in released.released]
    except EgressRefusedError as error:
        outcome = sorted(each.check for each in error.findings)
    seconds, used = time.perf_counter() - start, time.process_time() - before
    print(json.dumps({"seconds": seconds, "cpu": used, "megabytes": peak_megabytes(), "outcome": outcome}))


if __name__ == "__main__":
    main()
