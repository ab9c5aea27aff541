"""Take the pictures, and make them small."""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from tests.pictures.wanted import Picture
from tests.support.browser import Pages
from tests.support.page_server import served
from tests.support.page_world import page_world, train

if TYPE_CHECKING:
    from playwright.sync_api import StorageState

LARGEST: Final = 100_000
"""Bytes of a picture: whoever clones the project has all of them."""

_COLOURS: Final = (128, 64, 32)


@dataclass(frozen=True, slots=True)
class Scene:
    """A page that is served, and the names in it."""

    url: str
    names: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def simulated(folder: Path) -> Iterator[Scene]:
    """The app in one process, with pipelines in the states that people meet: in seconds, and the same every time."""
    with page_world(folder, {"breast-cancer": {}, "scans": {}}) as world:
        for number in (1, 2):
            train(world, "breast-cancer", f"part-{number}.csv")
        (run, *_) = world.ledger.runs.list_runs(["breast-cancer"]).items
        with served(world) as url:
            yield Scene(url, {"pipeline": "breast-cancer", "model": "breast-cancer", "run": run.run_id})


def take(
    scene: Scene, wanted: Iterable[Picture], pages: Pages, folder: Path, session: "StorageState | None" = None
) -> Iterator[Path]:
    """Write each picture; yields where. ``session``: of whoever has signed in."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in wanted:
        address = scene.url + picture.address.format(**scene.names)
        page = pages(address, size=picture.size, dark=picture.dark, session=session)
        page.locator(picture.waits_for).first.wait_for()
        file = folder / f"{picture.name}.png"
        file.write_bytes(small(page.screenshot(animations="disabled")))
        page.context.close()
        yield file


def small(png: bytes) -> bytes:
    """The picture with a palette, of as many colours as it may have to be small enough. Made by Pillow."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        made = io.BytesIO()
        reduced = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        reduced.save(made, "PNG", optimize=True)
        if made.tell() <= LARGEST:
            return made.getvalue()
    raise ValueError(f"a picture of {picture.width}x{picture.height} is larger than {LARGEST} bytes: make it smaller")
