"""Programs of attacks as plain processes, and then the guard alone: in a second, what a sealed run tells in many.

It is for attacks on the guard: what they write is the same, sealed or not. Those on the seal need the real one.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from local_stack.leak_search import Canaries, Search
from site_agent.job.failures import JobError
from site_agent.job.guard.release import Facts, Produced, release, release_reason
from site_agent.job.guard.samples import Reference
from site_agent.job.guard.signing import load_key, make_key
from site_agent.job.losses import read_losses
from tests.integration.leaks.attacks import Attack
from tests.integration.leaks.attacks.programs import COMMON, HONEST_EVALUATION, SAMPLE, SCORE
from tests.integration.leaks.lab import Outcome
from tests.integration.leaks.submissions import COLUMNS, HOLDOUT
from tests.support.canaries import files_below
from tests.support.job_orders import a_policy, parsed_order

_SECONDS: Final = 60
_POLICY: Final = """\
registries: [registry.example]
pipelines:
  {pipeline}: {{site: factory, containers: [c], prefixes: [""], pickles: {pickles}}}
limits: {{model: 20m}}
leaves: {{metrics: 8}}
"""


class UnsealedRun:
    """One attack below a folder of its own. ``written``: what the job itself adds to the outputs."""

    written: Final = {"receipt.json", "receipt.dsse.json", "checksums.json"}

    def __init__(self, attack: Attack, folder: Path) -> None:
        self.attack, self.folder = attack, folder
        self.training, self.holdout = Canaries.new(), Canaries.new()
        self.outputs = folder / "outputs"
        self.logs: dict[str, str] = {}
        self._fill()

    def outcome(self) -> Outcome:
        """What the guard let out."""
        order = parsed_order(
            pipeline=self.attack.pipeline,
            container="c",
            data={"format": "csv", "columns": COLUMNS, "on_bad_file": "fail"},
            model_format="pickle" if self.attack.pickles == "allowed" else "safe",
        )
        policy = a_policy(_POLICY.format(pipeline=self.attack.pipeline, pickles=self.attack.pickles))
        key_file = self.folder / "key"
        key_file.write_bytes(make_key())
        key_file.chmod(0o600)
        facts, key, reason = Facts(started_at=datetime.now(UTC)), load_key(key_file), ""
        try:
            smoke = self._programs()
            read_losses(self.folder / "evaluation")
            release(
                Produced(
                    model=self.folder / "model",
                    evaluation=self.folder / "evaluation",
                    training=self.folder / "scratch",
                    smoke=smoke,
                ),
                policy,
                order,
                reference=Reference(folder=self.folder / "data", declared={"ill": frozenset({"0", "1"})}),
                held_out=Reference(folder=(self.folder / HOLDOUT).parent),
                box=None,
                into=self.outputs,
                facts=facts,
                key=key,
            )
        except JobError as error:
            reason = str(error)
            if not (self.outputs / "receipt.json").exists():
                release_reason(reason, policy, order, self.outputs, facts=facts, key=key)
        search = Search(self.training, self.holdout).files(files_below(self.outputs))
        search.content("the reason", reason.encode())
        tags = {"edgetrain.failure": reason} if reason else {}
        status = "Failed" if reason else "Completed"
        files = {path.relative_to(self.outputs).as_posix(): path.read_bytes() for path in files_below(self.outputs)}
        receipt: dict[str, Any] = json.loads(files["receipt.json"])
        return Outcome({"status": status, "tags": tags}, self.logs, search.found, [], receipt, files=files)

    def _fill(self) -> None:
        attack = self.attack
        code = {
            "leak.py": COMMON.replace("LISTENERS", "{}"),
            "train.py": attack.train,
            "evaluate.py": attack.evaluate or HONEST_EVALUATION,
            "score.py": attack.score or SCORE,
            "sample.json": SAMPLE,
            **attack.code,
        }
        for name, text in code.items():
            path = self.folder / "code" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(text), encoding="utf-8")
        for name, canaries in (("data/landing/part-1.csv", self.training), (HOLDOUT, self.holdout)):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(canaries.csv())
        for name in ("model", "evaluation", "scratch", "answer"):
            (self.folder / name).mkdir()

    def _here(self, text: str) -> str:
        """A program with the places of this run instead of a container's."""
        for place in ("model", "data", "evaluation", "scratch", "answer", "code"):
            text = text.replace(f"/edgetrain/{place}", str(self.folder / place))
        return text

    def _programs(self) -> bytes | None:
        folder = self.folder
        self._run("train", "train.py", "--data", folder / "data", "--model", folder / "model")
        answer = folder / "answer" / "response.json"
        tool = Path(__file__).resolve().parents[3] / "site_agent/job/tools/smoke.py"
        self._run("smoke", tool, folder / "code", answer)
        holdout = ("--holdout", folder / HOLDOUT)
        self._run("evaluate", "evaluate.py", "--model", folder / "model", *holdout, "--out", folder / "evaluation")
        sample = {"request": json.loads(SAMPLE), "response": json.loads(answer.read_bytes()), "tolerance": 1e-6}
        return json.dumps(sample).encode()

    def _run(self, name: str, *arguments: Any) -> None:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder / "code",
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env={"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1"},
        )
        self.logs[name] = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, self.logs[name]
