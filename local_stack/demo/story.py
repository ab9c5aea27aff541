"""The story: data lands three times; two versions go live, what fails does not; and whoever asks gets an answer."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from local_stack.app_client import Endpoints, Landed, land, land_all
from local_stack.demo import delivery, naive, questions
from local_stack.demo.burst import CHAOS, Burst, land_burst
from local_stack.demo.cast import PIPELINE, Cast, gathered
from local_stack.demo.expectations import expect
from local_stack.demo.runs import Run, fire_until_new_run, follow_new_run, follow_run, known_runs
from local_stack.demo.screen import Screen, Step
from local_stack.demo.traffic import SteadyClient
from local_stack.demo_data import DataStory, breast_cancer_burst
from local_stack.files import read_object


@dataclass(slots=True)
class Story:
    """Drives the app as the outside world does, and checks what comes back."""

    screen: Screen
    endpoints: Endpoints
    state: Path
    app_root: Path
    short: bool = False
    runs: list[Run] = field(default_factory=list)
    endpoints_of_first: list[str] = field(default_factory=list)
    failed_requests: int = 0
    predictions_checked: int = 0

    def tell(self) -> dict[str, Any]:
        """Tell it; the summary for the last line of the demo. Raises ``StoryError`` when something does not hold."""
        data = breast_cancer_burst()
        with gathered(self.screen, self.endpoints) as cast:
            burst = self._first(cast, data)
            asked = {
                "message": questions.ask_for_the_same_by_message(cast, burst.run),
                "garbage": questions.send_garbage(cast),
            }
            with self.screen.step("Event Grid asks the webhook again, and delivers well from now on"):
                cast.agent.subscribe()
            asked["why"] = questions.ask_why(cast, burst)
            if self.short:
                self._second(cast, data)
                self._bad(cast, data, self._bad_lands(cast, data))
            else:
                asked |= self._deliver(cast, data)
        expect([run["version"] for run in self.runs[:2]] == ["1", "2"], "the versions are not 1 and 2")
        return {
            "demo": "ok",
            "runs": self.runs,
            "endpoint": self.serving_url,
            "failed_requests": self.failed_requests,
            "predictions_checked": self.predictions_checked,
            "burst": burst.summary(),
            **asked,
        }

    def show_places(self) -> None:
        """Say where each thing can be looked at."""
        self.screen.say(f"look at: logs in {self.state}/logs, keys and URLs in {self.state}/endpoints.json;")
        self.screen.say("         `make up` leaves such a stack running, and prints a link that opens its page;")
        self.screen.say("         `make demo PAGE=1` leaves this page open, `make status` says what runs where")

    @property
    def serving_url(self) -> str:
        """Where the pipeline's model is served: HAProxy on the VM."""
        slot = read_object(Path(self.endpoints["vm"]["home"]) / "serving" / f"{PIPELINE}.json")
        return f"http://{self.endpoints['vm']['address']}:{slot['frontend_port']}"

    def _first(self, cast: Cast, data: DataStory) -> Burst:
        with self.screen.step("Event Grid asks the host's webhook, which agrees; it will deliver badly"):
            cast.agent.subscribe(**CHAOS)
        land(self.endpoints, PIPELINE, data.holdout_name, data.holdout)
        title = f"{len(data.first)} small files land: a model is trained once and goes live"
        with self.screen.step(title) as step:
            burst = land_burst(cast, step, data.first, follow=self._follow)
        self._keep(burst.run)
        self.endpoints_of_first = [target["endpoint"] for target in burst.run["targets"]]
        came, lost = len(burst.arrivals), len(burst.lost)
        self.screen.say(f"      {came + lost} events: {lost} lost, {came} delivered twice in disorder; 1 run")
        self._score(data, "held-out rows through the deployed endpoint")
        return burst

    def _second(self, cast: Cast, data: DataStory, meanwhile: Callable[[], None] = lambda: None) -> None:
        """``meanwhile``: what else to start when its run is under way."""
        known = known_runs(cast)
        title = "more data lands: a better model takes over, step by step, while clients score"
        with self.screen.step(title) as step, self._load(data, self.endpoints_of_first) as begin_load:
            cast.agent.publish_written(self._land(data.second))
            run_id = cast.app.wait_for_new_run(PIPELINE, known)
            meanwhile()
            run = self._follow(cast, step, run_id, expected="promoted", asked=begin_load)
        self._keep(run)
        delivery.show_canary(cast, run)

    def _deliver(self, cast: Cast, data: DataStory) -> dict[str, Any]:
        """What a person may wish of a delivery: it takes back what fails, and what is asked to be.

        While one model is rolled out, which is mostly waiting, the VM trains what the next chapters are about.
        """
        naive_runs: list[naive.Begun] = []
        self._second(cast, data, meanwhile=lambda: naive_runs.append(naive.begin(cast)))
        second = self.runs[-1]
        title = "a model that passes every check fails under traffic: it is taken back by itself, and no request fails"
        with self.screen.step(title) as step, self._load(data, [self.serving_url]) as begin_load:
            with delivery.forgetful_scoring(self.app_root):
                failing = delivery.start(cast, "score.py keeps its answers")
            # Without that fault. It is trained meanwhile, and waits until the other one is delivered.
            to_cancel = delivery.start(cast, "without what score.py kept")
            cast.screen.say(f"      run {failing} is rolled out first; run {to_cancel} waits, and is cancelled below")
            run = self._follow(cast, step, failing, expected="rolled_back", asked=begin_load)
        delivery.show_canary(cast, run)
        known = self._bad_lands(cast, data)
        told = {
            "fails_under_traffic": {key: run[key] for key in ("run_id", "outcome", "reason")},
            "cancelled": delivery.cancel_one(cast, to_cancel),
            "passport": delivery.verify_passport(cast, second, self.state),
        }
        self._bad(cast, data, known)
        told["rolled_back_by_hand"] = delivery.roll_back(cast, self.serving_url, data.sample_request)
        told["naive"] = naive.tell(cast, self.state, naive_runs[0])
        return told

    def _follow(
        self, cast: Cast, step: Step, run_id: str, *, expected: str, asked: Callable[[], None] = lambda: None
    ) -> Run:
        """``asked``: called before anything is rolled out."""
        if self.short:
            asked()
            return follow_run(cast, step, run_id, expected=expected)
        return delivery.follow_approved(cast, step, run_id, expected=expected, asked=asked)

    @contextmanager
    def _load(self, data: DataStory, urls: Sequence[str]) -> Iterator[Callable[[], None]]:
        """Begin what is given, and until the end a client at each URL scores all the time; no request may fail."""
        clients = [SteadyClient(url, data.sample_request) for url in urls]
        with ExitStack() as exits:

            def begin() -> None:
                for client in clients:
                    exits.enter_context(client)

            yield begin
        for client in clients:
            self.failed_requests += client.failed
            self.screen.say(f"      {client.sent} requests to {client.url} meanwhile; failed: {client.failed}")
            expect(client.sent > 0 and client.failed == 0, f"{client.failed} of {client.sent} requests failed")

    def _bad_lands(self, cast: Cast, data: DataStory) -> set[str]:
        """The runs that there were before."""
        known = known_runs(cast)
        with self.screen.step("a bad batch lands without an event (labels shuffled): found all the same"):
            self._land(data.bad)
            fire_until_new_run(cast, known)
        return known

    def _bad(self, cast: Cast, data: DataStory, known: set[str]) -> None:
        with self.screen.step("the bad batch makes a bad model: the champion keeps serving") as step:
            self._keep(follow_new_run(cast, step, known, expected="not_promoted"))
        self._score(data, "the version from before still answers")

    def _land(self, files: Mapping[str, bytes]) -> list[Landed]:
        return list(land_all(self.endpoints, PIPELINE, files))

    def _keep(self, run: Run) -> None:
        shown = ("run_id", "outcome", "model", "version", "image", "metrics", "seconds", "blobs")
        self.runs.append({key: run[key] for key in shown})

    def _score(self, data: DataStory, title: str) -> None:
        with self.screen.step(title) as step:
            answer = requests.post(f"{self.serving_url}/score", json=data.holdout_request, timeout=60)
            expect(answer.status_code == 200, f"the endpoint answered {answer.status_code}: {answer.text[:200]}")
            predicted = [int(value) for value in answer.json()["predictions"]]
            right = sum(ours == truth for ours, truth in zip(predicted, data.holdout_truths, strict=True))
            share = right / len(predicted)
            step.note = f"{right} of {len(predicted)} right ({share:.0%})"
            expect(math.isfinite(share) and share >= 0.9, f"only {right} of {len(predicted)} predictions are right")
            self.predictions_checked += len(predicted)
        shown = zip(predicted[:10], data.holdout_truths[:10], strict=True)
        self.screen.say("      predicted/truth: " + "  ".join(f"{ours}/{truth}" for ours, truth in shown))
