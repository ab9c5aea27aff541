"""The page over a whole app in one process: the simulated world, with pipelines in the states that people meet."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import azure.functions as func
import yaml

from function_app.page.addresses import SCREENS, Screen
from function_app.page.serving import show
from shared.messages import BuiltImage, Done, RegisteredModel
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline
from tests.support.training import MemoryRegistry

IMAGE: Final = "registry.example/models/breast-cancer@sha256:" + "ab" * 32
ANSWERS: Final[Mapping[str, object]] = {
    "register_model": RegisteredModel(name="breast-cancer", version="1"),
    "build_image": BuiltImage(repository="models/breast-cancer", digest="sha256:" + "ab" * 32, reference=IMAGE),
    "issue_passport": Done(),
}
TRAINING: Final = timedelta(minutes=10)
KEY: Final = secrets.token_urlsafe(16)


@contextmanager
def page_world(folder: Path, pipelines: Mapping[str, Mapping[str, Any]]) -> Iterator[World]:
    """A world with these pipelines; what a pipeline is given changes the parts of its file of that name."""
    files = folder / "pipelines"
    files.mkdir(parents=True)
    for name, changes in pipelines.items():
        values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
        values["judge"] |= {"floor": 0.1, "margin": -0.01}  # as good as the model before is enough
        values["train"]["expected_seconds"] = TRAINING.total_seconds()
        for part, more in changes.items():
            values[part] = {**values.get(part, {}), **more} if isinstance(more, Mapping) else more
        (files / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    world = World(files, folder / "hub.sqlite", answers=ANSWERS)
    world.driver.takes = TRAINING
    world.services.__dict__["model_registry"] = MemoryRegistry()
    settings = SimpleNamespace(**vars(world.services.settings), app_service_authentication=False, key_names={})
    world.services.__dict__["settings"] = settings
    for name in pipelines:
        world.upload(name, "holdout/holdout.csv")
    try:
        yield world
    finally:
        world.close()


def train(world: World, pipeline: str, file: str, *, minutes: int = 30) -> None:
    """A file lands, and everything follows from it for so many minutes."""
    world.deliver([world.upload(pipeline, f"landing/{file}")])
    for _ in range(minutes * 60 // 5):
        world.advance(timedelta(seconds=5))


def get(world: World, address: str, **headers: str) -> func.HttpResponse:
    """A screen's answer to a GET."""
    path, _, query = address.partition("?")
    screen, route = screen_at(path)
    asked = func.HttpRequest(
        method="GET",
        url=f"http://127.0.0.1{address}",
        headers=headers,
        params=dict(pair.partition("=")[::2] for pair in query.split("&") if pair),
        route_params=route,
        body=b"",
    )
    return world.play(show(screen, asked, world.services, world.client))


def html_of(answer: func.HttpResponse, status: int = 200) -> str:
    """The page in an answer."""
    text = str(answer.get_body(), "utf-8")
    assert answer.status_code == status, text
    return text


def screen_at(path: str) -> tuple[Screen, dict[str, str]]:
    """The screen at an address, and the parts of the address."""
    for screen in SCREENS:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", screen.path)
        pattern = re.sub(r"\{\*(\w+)\}", r"(?P<\1>.+)", pattern)
        if found := re.fullmatch(pattern, path.strip("/")):
            return screen, found.groupdict()
    raise LookupError(f"no screen at {path}")
