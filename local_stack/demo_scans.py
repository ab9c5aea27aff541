"""Scans of a metal surface as PNG files, in folders named after what is on them. Made up here, and repeatable.

A scan has 32 x 32 grey pixels: an uneven surface with noise, and on it nothing (``clean``), a dark spot (``pore``) or a
dark line (``scratch``), somewhere. In the bad drop the files were shuffled among the folders.
"""

import base64
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEED = 7
SIDE = 32
CLASSES = ("clean", "pore", "scratch")
HOLDOUT_BLOB = "holdout/holdout.zip"

Scan = tuple[str, bytes]  # what is on it, and the PNG file
_TIME = (2026, 1, 1, 0, 0, 0)  # of the files in the archive, so that it is the same every time


def drops(*sizes: int) -> list[list[Scan]]:
    """Scans, drop by drop, with each class as often as the others; those of the last drop are shuffled."""
    chance = np.random.default_rng(SEED)
    made = [[_scan(CLASSES[number % len(CLASSES)], chance) for number in range(size)] for size in sizes]
    kinds = chance.permutation([kind for kind, _ in made[-1]])
    made[-1] = [(str(kind), png) for kind, (_, png) in zip(kinds, made[-1], strict=True)]
    return made


def files(scans: list[Scan], *, below: str, drop: int) -> dict[str, bytes]:
    """Name -> content, in a folder for each class."""
    return {f"{below}{kind}/scan-{drop}-{number:04d}.png": png for number, (kind, png) in enumerate(scans, 1)}


def archive(content: Mapping[str, bytes]) -> bytes:
    """The files as one zip archive."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as whole:
        for name, png in content.items():
            whole.writestr(zipfile.ZipInfo(name, _TIME), png)
    return into.getvalue()


def requests(scans: list[Scan]) -> dict[str, Any]:
    """The question about each scan, as the deployed model takes it."""
    return {"images": [base64.b64encode(png).decode() for _, png in scans]}


def _scan(kind: str, chance: np.random.Generator) -> Scan:
    slope = np.linspace(-1, 1, SIDE) * chance.uniform(-15, 15)
    surface = chance.normal(150, 12, (SIDE, SIDE)) + slope[:, None] + chance.uniform(-10, 10)
    if kind != "clean":
        flaw = _spot(chance) if kind == "pore" else _line(chance)
        surface[flaw] -= chance.uniform(50, 90)
    return kind, _png(surface)


def _spot(chance: np.random.Generator) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    row, column = chance.uniform(6, SIDE - 7, 2)
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 < chance.uniform(2.5, 4.5) ** 2)


def _line(chance: np.random.Generator) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle, offset = chance.uniform(0, np.pi), chance.uniform(-9, 9)
    return np.asarray(np.abs(columns * np.cos(angle) + rows * np.sin(angle) - offset) < 1.2)


def _png(surface: NDArray[np.float64]) -> bytes:
    into = io.BytesIO()
    Image.fromarray(np.clip(surface, 0, 255).astype(np.uint8)).save(into, format="PNG")
    return into.getvalue()
