"""Checks of the images that pipelines train in, and of the key that signs."""

import hashlib
from collections.abc import Callable
from typing import Final

from function_app.composition import Services
from function_app.doctor.registry import DOCTOR_TIMEOUT
from shared.clients.image_trust import ImageTrust
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.doctor.once import Once
from shared.errors import EdgetrainError
from shared.oci.references import ImageName
from shared.oci.transfer import FoundImage, find_image
from shared.pipelines import Pipeline
from shared.signing.keys import is_signed
from shared.training_code.pinned_images import moved
from shared.training_code.scoring_images import scoring_parts

_SECONDS: Final = 30.0
_PROBE: Final = b"edgetrain doctor"


class _Images:
    def __init__(self) -> None:
        self._once: Once[FoundImage | None] = Once()

    def found(self, services: Services, pipeline: Pipeline) -> FoundImage | None:
        return self._once(pipeline.name, lambda: _find(services, pipeline))

    def there(self, services: Services, pipeline: Pipeline) -> Seen:
        name = _name(services, pipeline)
        found = self.found(services, pipeline)
        if found is None:
            remedy = f"run: edgetrain dependency-image --pipeline {pipeline.name}"
            return wrong(f"the registry has no {name}", remedy=remedy)
        pin = services.ledger.image_pins.pin(name)
        if pin is not None and pin.digest != found.digest:
            return wrong(moved(services.container_registry.host, name, pin, found.digest, pipeline.name))
        return ok(f"{name} is there" + ("" if pin else ", and is pinned by the first run"))

    def signed(self, services: Services, pipeline: Pipeline) -> Seen:
        try:
            found = self.found(services, pipeline)
        except EdgetrainError:
            found = None
        if found is None:
            return skipped("it was not found, see image.there")
        ImageTrust(services.container_registry, services.trusted_keys).require_dependency(found)
        return ok("a trusted key has signed it")


def checks(_: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination."""
    images = _Images()
    return (
        Check(
            name="signing.key",
            about=Kind.APP,
            wanted="the app signs with a key that is trusted",
            why="no image is made without a signature, and none is run",
            remedy="set EDGETRAIN_SIGNING__KEY_VAULT_KEY and EDGETRAIN_SIGNING__TRUSTED_KEYS: docs/signatures.md",
            look=_signs,
            seconds=_SECONDS,
            for_runs=True,
        ),
        Check(
            name="image.there",
            about=Kind.PIPELINE,
            wanted="the image that the pipeline trains in is in the registry, as it was pinned",
            why="training code runs in it, and models are put on it",
            remedy="run: edgetrain dependency-image --pipeline NAME",
            look=_of_pipeline(images.there),
            seconds=_SECONDS,
            for_runs=True,
        ),
        Check(
            name="image.signed",
            about=Kind.PIPELINE,
            wanted="a trusted key has signed that image",
            why="nothing unsigned is run, neither at a site nor in the cloud",
            remedy="find out who pushed it; edgetrain dependency-image signs it with the key of today",
            look=_of_pipeline(images.signed),
            seconds=_SECONDS,
            for_runs=True,
        ),
    )


def dependency_image(services: Services, pipeline: Pipeline) -> str | None:
    """The image that a pipeline trains in, by digest; None when the registry does not have it or does not say."""
    try:
        found = _find(services, pipeline)
    except EdgetrainError:
        return None
    return None if found is None else f"{services.container_registry.host}/{found.repository}@{found.digest}"


def _of_pipeline(look: Callable[[Services, Pipeline], Seen]) -> Callable[[Services, str], Seen]:
    def see(services: Services, name: str) -> Seen:
        if name in services.pipelines.broken:
            return skipped("its file cannot be read")
        return look(services, services.pipelines.get(name))

    return see


def _name(services: Services, pipeline: Pipeline) -> ImageName:
    return scoring_parts(services.job_folders.read(pipeline.train.folder)).dependency_image


def _find(services: Services, pipeline: Pipeline) -> FoundImage | None:
    name = _name(services, pipeline)
    with services.own_registry(DOCTOR_TIMEOUT) as registry:
        try:
            return find_image(registry, name)
        except ValueError:
            return None


def _signs(services: Services, _: str) -> Seen:
    signer = services.signer
    signature = signer.sign_digest(hashlib.sha256(_PROBE).digest())
    if not is_signed(_PROBE, signature, signer.public_key):
        return wrong("what it signs is not verified with its own public key")
    return ok("it signs, and its key is trusted")
