"""The same story on every side: files land, a model arrives, nothing happens for a while, and then it is killed."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from azure.storage.blob import BlobServiceClient, ContainerClient

from benchmarks.peers.dagster_side import Dagster
from benchmarks.peers.edgetrain_side import Edgetrain
from benchmarks.peers.figures import Figures, Killed, lines_of_code
from benchmarks.peers.landing import Landing, Upload, deliveries, land
from benchmarks.peers.models import Models, rows_trained_on
from benchmarks.peers.prefect_side import Prefect
from benchmarks.peers.sides import HOLDOUT, Job, Settings, Side
from benchmarks.peers.watching import Idle, Training, TrainingWatch, idle, watched_trainings
from local_stack.app_client import Endpoints, Landed, app_client, deadline
from local_stack.demo_data import breast_cancer_story
from local_stack.prepare import prepare
from local_stack.supervisor import Stack
from tests.support.changed_app import ChangedApp

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".local" / "cache"
SIDES: Final = ("edgetrain", "dagster", "prefect")
MODEL_SECONDS: Final = 900.0
TELL_EVERY: Final = 60.0
AT_LEAST_AT_REST: Final = 15.0
INTO_THE_TRAINING: Final = 3.0
"""How long the training runs before everything is killed: a fifth of what it takes at least."""


def measure(name: str, job: Job, say: Callable[[str], None]) -> Figures:
    """One side by itself, on a stack of its own."""
    with TemporaryDirectory(prefix=f"{name[:4]}-") as folder, _side(name, Path(folder), job.settings) as found:
        side, endpoints = found
        with ExitStack() as exits:
            models = Models(endpoints["container_registry"], side.repository)
            exits.callback(models.close)
            container = exits.enter_context(_container(endpoints, side.container))
            return _Story(side, job, models=models, container=container, say=say).tell()


class _Story:
    def __init__(
        self,
        side: Side,
        job: Job,
        *,
        models: Models,
        container: ContainerClient,
        say: Callable[[str], None],
    ) -> None:
        self._side, self._job, self._models, self._say = side, job, models, say
        self._container = container
        self._upload: Upload = _uploader(container)
        self._deliver = side.deliver if side.takes_events else None

    def tell(self) -> Figures:
        self._upload(HOLDOUT, breast_cancer_story().holdout)
        self._side.start()
        with watched_trainings(self._side.marker) as watch:
            landing = self._land()
            tag, arrived = self._model_of_all(self._job.files)
            training = _last_before(watch.seen, arrived)
            created = self._side.run_created(training.started)
            rest = max(AT_LEAST_AT_REST, landing.last_event_at + self._side.rest_seconds - time.time())
            self._say(f"the model is there; {rest:.0f} s until nothing more can come")
            time.sleep(rest)
            trainings = len(watch.seen)
        parts = self._idle()
        total = sum(parts.values(), Idle(0.0, 0.0))
        killed = self._killed()
        return Figures(
            side=self._side.name,
            deliveries=landing.deliveries,
            trainings=trainings,
            until_training=training.started - landing.last_file_at,
            before=training.started - created,
            after=arrived - training.ended,
            program=training.ended - training.started,
            idle_cpu=total.cpu_seconds_an_hour,
            idle_megabytes=total.megabytes,
            idle_parts=_told(parts),
            lines=lines_of_code(self._side.user_files),
            model=hashlib.sha256(self._models.file(tag)).hexdigest(),
            killed=killed,
        )

    def _land(self) -> Landing:
        files = made_files(self._job.files)
        plan = deliveries(len(files))
        self._say(f"{len(files):,} files land in {self._job.landing_seconds:.0f} s")
        seconds = self._job.landing_seconds
        landing = land(files, plan, seconds=seconds, upload=self._upload, deliver=self._deliver)
        there = sum(1 for _ in self._container.list_blob_names(name_starts_with="landing/"))
        assert there == self._job.files, f"{there} of {self._job.files} files are on the hub"
        expected = sum(map(len, plan)) if self._deliver else 0
        assert landing.deliveries == expected, f"{landing.deliveries} of {expected} deliveries of events"
        return landing

    def _model_of_all(self, rows: int) -> tuple[str, float]:
        """The first model that was trained on all files; models of fewer may come before it."""
        known: set[str] = set()
        ends = time.monotonic() + MODEL_SECONDS
        while time.monotonic() < ends:
            if (found := self._models.wait_for_new(known, TELL_EVERY)) is None:
                self._say(f"no model of all files yet; its runs: {self._side.account() or 'none'}")
                continue
            read = rows_trained_on(self._models.file(found[0]))
            if read == rows:
                return found
            self._say(f"a model of {read:,} of {rows:,} rows")
            known.add(found[0])
        raise AssertionError(f"{self._side.name}: no model of all {rows:,} files; its runs: {self._side.account()}")

    def _idle(self) -> Mapping[str, Idle]:
        seconds = self._job.idle_seconds
        self._say(f"idle for {seconds:.0f} s")
        return idle(self._side.processes(), seconds)

    def _killed(self) -> Killed:
        """One more file, and the end of everything while its training runs."""
        known = self._models.tags()
        (content, *_) = made_files(1).values()
        with watched_trainings(self._side.marker) as watch:
            blob = self._upload(f"landing/{self._job.files:05}.csv", content)
            if self._deliver:
                self._deliver(blob, f"event-{self._job.files}")
            self._wait_into(watch)
            self._say("SIGKILL in the middle of a training, and started again")
            self._side.kill()
            killed = time.time()
            self._side.start()
            found = self._models.wait_for_new(known, self._job.kill_wait)
            seconds = found[1] - killed if found else None
            if found:
                read = rows_trained_on(self._models.file(found[0]))
                assert read == self._job.files + 1, f"the model after the kill was trained on {read} rows"
            return Killed(
                seconds=seconds,
                trainings=len(watch.seen),
                account=self._side.account(),
                waited=self._job.kill_wait,
            )

    def _wait_into(self, watch: TrainingWatch) -> None:
        for _ in deadline(MODEL_SECONDS, "the training that is to be killed"):
            if running := watch.running():
                time.sleep(max(0.0, running[0].started + INTO_THE_TRAINING - time.time()))
                assert watch.running(), "the training had ended before it could be killed"
                return


def made_files(count: int) -> dict[str, bytes]:
    """Files of one row each."""
    header, *rows = breast_cancer_story().first["landing/part-1.csv"].decode().splitlines()
    return {f"landing/{number:05}.csv": f"{header}\n{rows[number % len(rows)]}\n".encode() for number in range(count)}


def _told(parts: Mapping[str, Idle]) -> str:
    return ", ".join(f"{name} {it.cpu_seconds_an_hour:.0f} s {it.megabytes:.0f} MB" for name, it in parts.items())


def _last_before(seen: list[Training], arrived: float) -> Training:
    ended = [training for training in seen if training.ended and training.ended <= arrived]
    assert ended, "a model arrived, and no training of this side was seen"
    return ended[-1]


def _uploader(container: ContainerClient) -> Upload:
    def upload(name: str, content: bytes) -> Landed:
        written = container.get_blob_client(name).upload_blob(content, overwrite=True)
        return Landed(container.container_name, name, str(written["etag"]).strip('"'), len(content))

    return upload


@contextmanager
def _container(endpoints: Endpoints, name: str) -> Iterator[ContainerClient]:
    hub = endpoints["hub_storage"]
    with BlobServiceClient.from_connection_string(hub["connection_string"], api_version=hub["api_version"]) as service:
        container = service.get_container_client(name)
        if not container.exists():
            container.create_container()
        yield container


@contextmanager
def _side(name: str, folder: Path, settings: Settings) -> Iterator[tuple[Side, Endpoints]]:
    """A side on a stack of its own; the peers need the hub's storage and the registry only."""
    changed = ChangedApp.copied_to(folder / "app")
    Edgetrain.add_pipeline(changed, settings)
    state = folder / "s"
    needs = None if name == "edgetrain" else ["hub_storage", "registry_gate"]
    try:
        with Stack.start(state, cache=CACHE, only=needs) as stack:
            if name == "edgetrain":
                prepare(stack.endpoints, ["breast-cancer"], cache=CACHE, progress=lambda _: None)
                changed.prepare_serving(stack, name)
                with changed.deployed(stack), app_client(stack.endpoints) as app:
                    yield Edgetrain(stack, app, settings), stack.endpoints
                return
            training = changed.root / "training" / "breast_cancer"
            home = folder / "peer"
            home.mkdir()
            peer = Dagster if name == "dagster" else Prefect
            side = peer(home, training, stack.endpoints, settings)
            try:
                yield side, stack.endpoints
            finally:
                side.kill()
    finally:
        Stack.clean(state)
