"""The story: data lands three times; two versions go live, the bad batch does not."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from local_stack.app_client import AppClient, Endpoints, app_client, blob_created, land
from local_stack.demo.screen import Screen
from local_stack.demo.traffic import SteadyClient
from local_stack.demo_data import DataStory, breast_cancer_story
from local_stack.files import read_object

PIPELINE = "breast-cancer"


class StoryError(Exception):
    """Something did not go as the story says."""


@dataclass(slots=True)
class Stages:
    """The stages a run has been seen in, and for how long."""

    _began: dict[str, float] = field(default_factory=dict)

    def see(self, run: dict[str, Any]) -> str:
        """Take note of a status; what to show of it."""
        stage = str(run["stage"])
        self._began.setdefault(stage, time.monotonic())
        progress = run.get("progress") or {}
        doing = progress.get("phase") or progress.get("doing") or ""
        return f"{stage}: {', '.join(doing) if isinstance(doing, list) else doing}".removesuffix(": ")

    def summary(self) -> str:
        """Each stage with its seconds, as far as the polling of the run could see it."""
        ends = [*list(self._began.values())[1:], time.monotonic()]
        return ", ".join(
            f"{stage} {end - began:.1f} s" for (stage, began), end in zip(self._began.items(), ends, strict=True)
        )


@dataclass(slots=True)
class Story:
    """Drives the app as the outside world does, and checks what comes back."""

    screen: Screen
    endpoints: Endpoints
    state: Path
    runs: list[dict[str, Any]] = field(default_factory=list)
    failed_requests: int = 0
    predictions_checked: int = 0

    def tell(self) -> dict[str, Any]:
        """Tell it; the summary for the last line of the demo. Raises :class:`StoryError`."""
        data = breast_cancer_story()
        with app_client(self.endpoints) as app:
            with self.screen.step("Event Grid subscribes to the host's webhook"):
                self._expect(app.handshake(), "the webhook did not answer the validation handshake")
            land(self.endpoints, PIPELINE, data.holdout_name, data.holdout)

            self._drop(app, "first data lands: a model is trained and goes live", data.first, expect="promoted")
            self._score(data, "held-out rows through the deployed endpoint")

            with SteadyClient(self.serving_url, data.sample_request) as client:
                self._drop(
                    app,
                    "more data lands: a challenger takes over while a client scores",
                    data.second,
                    expect="promoted",
                )
            self.failed_requests = client.failed
            self.screen.say(f"      the client sent {client.sent} requests meanwhile; failed: {client.failed}")
            self._expect(client.sent > 0 and client.failed == 0, f"{client.failed} of {client.sent} requests failed")

            self._drop(app, "a bad batch lands (labels shuffled): the champion stays", data.bad, expect="not_promoted")
            self._score(data, "version 2 still answers")
        self._expect([run["version"] for run in self.runs[:2]] == ["1", "2"], "the versions are not 1 and 2")
        return {
            "demo": "ok",
            "runs": self.runs,
            "endpoint": self.serving_url,
            "failed_requests": self.failed_requests,
            "predictions_checked": self.predictions_checked,
        }

    def where_to_look(self) -> None:
        """Say where each thing can be looked at."""
        self.screen.say(f"look at: logs in {self.state}/logs, keys and URLs in {self.state}/endpoints.json;")
        self.screen.say("         `make up` leaves such a stack running, `make status` says what runs where")

    @property
    def serving_url(self) -> str:
        """Where the pipeline's model is served: HAProxy on the VM."""
        slot = read_object(Path(self.endpoints["vm"]["home"]) / "serving" / f"{PIPELINE}.json")
        return f"http://{self.endpoints['vm']['address']}:{slot['frontend_port']}"

    def _drop(self, app: AppClient, title: str, parts: dict[str, bytes], *, expect: str) -> None:
        known = {run["run_id"] for run in app.runs(PIPELINE)}
        with self.screen.step(title) as step:
            for name, content in parts.items():
                blob = land(self.endpoints, PIPELINE, name, content)
                status = app.deliver(blob_created(self.endpoints, blob))
                self._expect(status in {200, 202}, f"the webhook answered {status} to the event of {name}")
            self.screen.note(step, "settling: waiting until no more files come")
            run_id = app.wait_for_new_run(PIPELINE, known)
            stages = Stages()
            run = app.wait_for_outcome(run_id, seen=lambda seen: self.screen.note(step, stages.see(seen)))
            self._expect(run["outcome"] == expect, f"run {run_id} ended as {run['outcome']}: {run['reason']}")
            step.note = f"{run['outcome']}: {run['reason']} ({stages.summary()})"
        self.runs.append(
            {key: run[key] for key in ("run_id", "outcome", "model", "version", "image", "metrics", "seconds")}
        )

    def _score(self, data: DataStory, title: str) -> None:
        with self.screen.step(title) as step:
            answer = requests.post(f"{self.serving_url}/score", json=data.holdout_request, timeout=60)
            self._expect(answer.status_code == 200, f"the endpoint answered {answer.status_code}: {answer.text[:200]}")
            predicted = [int(value) for value in answer.json()["predictions"]]
            right = sum(ours == truth for ours, truth in zip(predicted, data.holdout_truths, strict=True))
            share = right / len(predicted)
            step.note = f"{right} of {len(predicted)} right ({share:.0%})"
            self._expect(
                math.isfinite(share) and share >= 0.9, f"only {right} of {len(predicted)} predictions are right"
            )
            self.predictions_checked += len(predicted)
        shown = zip(predicted[:10], data.holdout_truths[:10], strict=True)
        self.screen.say("      predicted/truth: " + "  ".join(f"{ours}/{truth}" for ours, truth in shown))

    def _expect(self, held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not held:
            raise StoryError(otherwise)
