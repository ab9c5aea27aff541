"""Scans as PNG files, and what the model is given of each.

A flaw may lie anywhere, so the model does not get pixels in their places: it gets how dark the darkest and how bright
the brightest parts are, and whether dark parts line up, both in order of brightness.
"""

import io
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = ("clean", "pore", "scratch")  # the names of the folders, in alphabetical order
MODEL = "model.onnx"
MOST_PIXELS = 4_000_000
SIDE = 16  # pixels of the shrunk picture

_EVERY = 8  # of its pixels in order, one in so many


class PictureError(Exception):
    """Not a picture that can be used; the text says why and nothing of what is in it."""


def features(png: bytes) -> NDArray[np.float32]:
    """What the model is given of one picture. Raises :class:`PictureError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(png), formats=["PNG"])
        if picture.width * picture.height > MOST_PIXELS:
            raise PictureError(f"has more than {MOST_PIXELS:,} pixels")
        small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError("is not a PNG picture that can be read") from None
    brightness = np.asarray(small, dtype=np.float32) / 255
    brightness -= brightness.mean()
    in_order = np.sort(brightness, axis=None)[::_EVERY]
    return np.concatenate([in_order, np.sort(brightness.mean(axis=0)), np.sort(brightness.mean(axis=1))])


def read_folder(folder: Path) -> tuple[NDArray[np.float32], list[str]]:
    """Features and classes of all PNG files in the folders of their classes, in the order of their names."""
    paths = sorted(folder.rglob("*.png"))
    return _stacked([path.read_bytes() for path in paths]), [path.parent.name for path in paths]


def read_zip(file: Path) -> tuple[NDArray[np.float32], list[str]]:
    """The same for a zip archive of such folders; nothing of it is unpacked to disk."""
    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        return _stacked([archive.read(name) for name in names]), [PurePosixPath(name).parent.name for name in names]


def _stacked(pictures: Sequence[bytes]) -> NDArray[np.float32]:
    return np.stack([features(picture) for picture in pictures])
