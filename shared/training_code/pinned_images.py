"""The dependency image that a run trains in and its model is put on: the pinned one, whatever the tag says now.

A tag can be moved by whoever may push. So the digest is kept when the image is made, or first used; a tag that points
elsewhere later is refused until somebody pins it anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shared.errors import Code, PermanentError
from shared.oci.references import ImageName
from shared.oci.transfer import FoundImage, ImageRegistry, find_image


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePin:
    """The digest that a tag had, and when that was kept."""

    digest: str
    at: datetime


class ImagePins(Protocol):
    """Keeps pins."""

    def pin(self, name: ImageName) -> ImagePin | None:
        """The pin of a tag; None when it has none."""

    def pin_once(self, name: ImageName, digest: str, at: datetime) -> ImagePin:
        """Pin the tag unless it is pinned already; returns the pin that holds."""


class PinnedImages:
    """The dependency images of a registry, each by the digest that it was pinned to.

    ``require``: raises for an image that was not signed by a trusted key.
    """

    def __init__(self, registry: ImageRegistry, pins: ImagePins, require: Callable[[FoundImage], None]) -> None:
        self._registry = registry
        self._pins = pins
        self._require = require

    def find(self, name: ImageName, *, pipeline: str) -> FoundImage:
        """The image behind a tag, which is signed and has the pinned digest; one without a pin is pinned now.

        Raises :class:`PermanentError`: dependency_image_missing, image_moved when the tag points elsewhere, or
        signature_refused.
        """
        found = _found(self._registry, name, pipeline)
        pin = self._pins.pin(name)
        if pin is not None and pin.digest != found.digest:
            raise self._moved(name, pin, found, pipeline)
        self._require(found)
        pin = pin or self._pins.pin_once(name, found.digest, datetime.now(UTC))
        if pin.digest != found.digest:
            raise self._moved(name, pin, found, pipeline)
        return found

    def _moved(self, name: ImageName, pin: ImagePin, found: FoundImage, pipeline: str) -> PermanentError:
        return PermanentError(moved(self._registry.host, name, pin, found.digest, pipeline), code=Code.IMAGE_MOVED)

    def reference(self, name: ImageName, *, pipeline: str) -> str:
        """The same image as ``host/repository@sha256:...``."""
        return f"{self._registry.host}/{name.repository}@{self.find(name, pipeline=pipeline).digest}"


def moved(host: str, name: ImageName, pin: ImagePin, digest: str, pipeline: str) -> str:
    """The sentence about a tag that points elsewhere."""
    return (
        f"{host}/{name} was pinned to {pin.digest} on {pin.at:%Y-%m-%d at %H:%M} UTC and is {digest} now; find out who"
        f" pushed it, and if it is meant, pin it with `edgetrain dependency-image --pipeline {pipeline} --pin`"
    )


def _found(registry: ImageRegistry, name: ImageName, pipeline: str) -> FoundImage:
    remedy = f"make it with `edgetrain dependency-image --pipeline {pipeline}`"
    try:
        found = find_image(registry, name)
    except ValueError as error:
        reason = f"the dependency image {name} in {registry.host} cannot be used: {error}; {remedy}, with --rebuild"
        raise PermanentError(reason, code=Code.DEPENDENCY_IMAGE_MISSING) from None
    if found is None:
        # The command makes the image of today's locks only.
        other = "; if the locks have changed since the run was admitted, start the run again instead"
        reason = f"the registry {registry.host} has no dependency image {name}; {remedy}{other}"
        raise PermanentError(reason, code=Code.DEPENDENCY_IMAGE_MISSING)
    return found
