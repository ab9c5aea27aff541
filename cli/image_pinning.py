"""Pin the tag of an image to its digest in the app's ledger, as far as an operator's roles reach."""

from datetime import UTC, datetime
from typing import Protocol

from cli.layer_cache import Say
from shared.clients.host_storage import StorageAccess
from shared.clients.identity import signed_in
from shared.clients.ledger import Ledger
from shared.errors import Code, NotAllowedError, PermanentError
from shared.oci.references import ImageName
from shared.settings import HOST_STORAGE_SETTING, LedgerSettings
from shared.training_code.pinned_images import ImagePin, moved

_ROLE = "let somebody give you the role Storage Table Data Contributor on that table (docs/deploy.md)"


class ImagePins(Protocol):
    """Keeps which digest each tag was pinned to."""

    def pin_once(self, name: ImageName, digest: str, at: datetime) -> ImagePin:
        """Pin the tag unless it is pinned already; returns the pin that holds."""

    def pin_anew(self, name: ImageName, digest: str, at: datetime) -> ImagePin:
        """Pin the tag, whatever it was pinned to before."""


def settle_pin(
    pins: ImagePins, name: ImageName, digest: str, *, host: str, pipeline: str, anew: bool, at: datetime, say: Say
) -> None:
    """Pin the tag to the digest; ``anew``: also when it is pinned to another, which raises otherwise."""
    pin = pins.pin_anew(name, digest, at) if anew else pins.pin_once(name, digest, at)
    if pin.digest != digest:
        raise PermanentError(moved(host, name, pin, digest, pipeline), code=Code.IMAGE_MOVED)
    say(f"{host}/{name} is pinned to {digest}")


def keep_pin(
    name: ImageName,
    digest: str,
    *,
    host: str,
    pipeline: str,
    anew: bool,
    wanted: bool,
    before: str | None,
    say: Say,
) -> None:
    """Pin the tag in the ledger of the settings, as far as whoever is signed in may.

    ``wanted``: or fail. ``before``: what the tag was until now. Runs refuse what an older pin does not name, so it
    fails too where there is one, or where there may be one of another image and nobody can say.
    """
    storage = LedgerSettings()
    if not storage.has_host_storage:
        reason = f"{HOST_STORAGE_SETTING} is not set, so the image cannot be pinned here"
        remedy = "set it as in the app settings"
        _unpinned(reason, remedy, wanted=wanted or before not in {None, digest}, say=say)
        return
    ledger = Ledger(StorageAccess(storage.host_storage, signed_in), storage.ledger_prefix)
    try:
        settle_pin(
            ledger.image_pins, name, digest, host=host, pipeline=pipeline, anew=anew, at=datetime.now(UTC), say=say
        )
    except NotAllowedError as error:
        reason = f"{host}/{name} is pushed, but you cannot pin it: {error.reason}"
        try:
            kept = ledger.image_pins.pin(name)
        except NotAllowedError:
            reason = f"{reason}; nor could it be read whether it is pinned already"
            _unpinned(reason, _ROLE, wanted=wanted or before != digest, say=say)
            return
        if kept is None or kept.digest != digest:
            _unpinned(reason, _ROLE, wanted=wanted or kept is not None, say=say)
            return
        say(f"{host}/{name} is pinned to {digest}")
    finally:
        ledger.close()


def _unpinned(reason: str, remedy: str, *, wanted: bool, say: Say) -> None:
    if wanted:
        raise PermanentError(f"{reason}; {remedy}, and run this again with --pin", code=Code.BAD_CONFIGURATION)
    say(f"{reason}; the first run that uses it pins it, unless it is pinned")
