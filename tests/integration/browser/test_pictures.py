"""``make pictures``: the screens as README shows them, each small, and each of a page without a fault."""

import io
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures.taking import LARGEST, Scene, simulated, small, take
from tests.pictures.wanted import PICTURES
from tests.support.browser import Pages

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with simulated(tmp_path_factory.mktemp("scene") / "world") as scene:
        yield scene


def test_every_picture_is_taken_and_small(scene: Scene, page_of: Pages, tmp_path: Path) -> None:
    files = list(take(scene, PICTURES, page_of, tmp_path))

    assert [file.stem for file in files] == [picture.name for picture in PICTURES]
    for file, picture in zip(files, PICTURES, strict=True):
        taken = Image.open(file)
        assert file.stat().st_size <= LARGEST
        assert (taken.format, taken.mode, taken.width) == ("PNG", "P", picture.size["width"])


def test_pictures_that_are_kept_are_those_that_are_made() -> None:
    names = {picture.name for picture in PICTURES}
    documents = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    shown = {
        name for each in documents for name in re.findall(r"\bpictures/([\w-]+)\.png", each.read_text(encoding="utf-8"))
    }
    kept = list(ROOT.glob("docs/pictures/*"))

    assert len(names) == len(PICTURES)
    assert shown <= names
    assert shown <= {file.stem for file in kept}
    assert {file.name for file in kept} <= {f"{name}.png" for name in names}
    assert all(file.stat().st_size <= LARGEST for file in kept)


def test_a_picture_that_cannot_be_small_is_refused() -> None:
    chance = random.Random(12)
    noise = io.BytesIO()
    Image.frombytes("RGB", (600, 600), chance.randbytes(600 * 600 * 3)).save(noise, "PNG")

    with pytest.raises(ValueError, match="600x600"):
        small(noise.getvalue())
