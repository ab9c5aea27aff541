"""The page over a whole app in one process: the simulated world, with pipelines in the states that people meet."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import azure.functions as func
import yaml

from function_app.api.actors import KEY as KEY_HEADER
from function_app.api.actors import digest_of
from function_app.page.acting import act
from function_app.page.addresses import SCREENS, Screen
from function_app.page.door import door, sign_in, sign_out
from function_app.page.serving import asset, show
from function_app.sessions import Signatures
from shared.access_settings import AccessSettings
from shared.messages import BuiltImage, Done, RegisteredModel
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline
from tests.support.training import MemoryRegistry
from tests.unit.functions_host.durable.harness import Clock

IMAGE: Final = "registry.example/models/breast-cancer@sha256:" + "ab" * 32
ANSWERS: Final[Mapping[str, object]] = {
    "register_model": RegisteredModel(name="breast-cancer", version="1"),
    "build_image": BuiltImage(repository="models/breast-cancer", digest="sha256:" + "ab" * 32, reference=IMAGE),
    "issue_passport": Done(),
}
TRAINING: Final = timedelta(minutes=10)
KEY: Final = secrets.token_urlsafe(16)
SECRET: Final = secrets.token_urlsafe(40)
_ATTRIBUTES: Final = re.compile(r'([a-z-]+)="([^"]*)"')


@contextmanager
def page_world(
    folder: Path, pipelines: Mapping[str, Mapping[str, Any]], *, now: datetime | None = None
) -> Iterator[World]:
    """A world with these pipelines; what a pipeline is given changes the parts of its file of that name.

    ``parameters``: those of its training. ``now``: when the world begins.
    """
    files = folder / "pipelines"
    files.mkdir(parents=True)
    for name, changes in pipelines.items():
        values = a_pipeline(name, container=name, parameters=changes.get("parameters")).model_dump(
            mode="json", exclude_none=True
        )
        values["judge"] |= {"floor": 0.1, "margin": -0.01}  # as good as the model before is enough
        values["train"]["expected_seconds"] = TRAINING.total_seconds()
        for part in changes.keys() - {"parameters"}:
            more = changes[part]
            values[part] = {**values.get(part, {}), **more} if isinstance(more, Mapping) else more
        (files / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    clock = Clock() if now is None else Clock(now)
    world = World(files, folder / "hub.sqlite", clock=clock, answers=ANSWERS)
    world.driver.takes = TRAINING
    world.services.__dict__["model_registry"] = MemoryRegistry()
    world.services.__dict__["access"] = AccessSettings(key_names={"local": digest_of(KEY)})
    world.services.__dict__["signatures"] = Signatures(SECRET)
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
    """A screen's answer to a GET, of whoever has the key that may do everything when no other is given."""
    return world.play(answer_of(world, asked_for("GET", address, {KEY_HEADER: KEY, **headers})))


def post(world: World, address: str, fields: Mapping[str, str], **headers: str) -> func.HttpResponse:
    """The answer to a form that was sent."""
    sent = {"Content-Type": "application/x-www-form-urlencoded", KEY_HEADER: KEY, **headers}
    return world.play(answer_of(world, asked_for("POST", address, sent, urlencode(fields).encode())))


def asked_for(method: str, address: str, headers: Mapping[str, str], body: bytes = b"") -> func.HttpRequest:
    """A request as the worker hands it over; headers that are empty are not sent."""
    path, _, query = address.partition("?")
    return func.HttpRequest(
        method=method,
        url=f"http://127.0.0.1{address}",
        headers={name: value for name, value in headers.items() if value},
        params=dict(parse_qsl(query)),
        route_params=_route(method, path),
        body=body,
    )


async def answer_of(world: World, asked: func.HttpRequest) -> func.HttpResponse:
    """What the page's functions answer."""
    path = asked.url.partition("://")[2].partition("/")[2].partition("?")[0]
    if path.startswith("ui/assets/"):
        encodings = asked.headers.get("Accept-Encoding", "")
        return asset(path.rpartition("/")[2], asked.params.get("v", ""), encodings=encodings)
    if path == "ui/sign-in":
        return await (sign_in if asked.method == "POST" else door)(asked, world.services)
    if path == "ui/sign-out":
        return await sign_out(asked, world.services)
    if asked.method == "POST":
        return await act(asked, world.services, world.client)
    return await show(screen_at(path)[0], asked, world.services, world.client)


def _route(method: str, path: str) -> dict[str, str]:
    if path.startswith(("/ui/assets/", "/ui/sign-")):
        return {}
    return {"action": path.rpartition("/")[2]} if method == "POST" else screen_at(path)[1]


def fields_in(html: str) -> dict[str, str]:
    """The fields of the last form of a page, as a browser would send them when nobody types."""
    form = html.rpartition('<form class="act" method="post"')[2].partition("</form>")[0]
    inputs = (dict(_ATTRIBUTES.findall(tag)) | {"": tag} for tag in re.findall(r"<input[^>]*>", form))
    sent = (each for each in inputs if each.get("type") not in {"radio", "checkbox"} or " checked" in each[""])
    areas = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\s*(.*?)</textarea>', form, re.DOTALL)
    found = {each["name"]: each.get("value", "") for each in sent} | dict(areas)
    return {name: unescape(value) for name, value in found.items()}


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
