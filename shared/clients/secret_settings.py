"""Settings whose value is the address of a secret in Key Vault: ``https://VAULT/secrets/NAME``.

App Service fills in a reference of its own (``@Microsoft.KeyVault(...)``) when the app starts, and not again while it
runs. The app reads an address itself, by its identity, and again when a service refuses what it has.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import requests

from shared.clients.foreign_answers import stranger
from shared.clients.identity import CheckedCredential, NoIdentityError
from shared.clients.key_vault import SCOPE, ask_vault
from shared.clients.registry_address import on_loopback
from shared.errors import Code, EdgetrainError, PermanentError, TransientError

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 10.0  # the vault is asked no more often than this after refusals
_ADDRESS: Final = re.compile(r"https?://[^/\s?#@]+/secrets/[0-9A-Za-z-]{1,127}(/[0-9a-fA-F]{1,64})?/?")
_UNRESOLVED: Final = "@Microsoft.KeyVault("


class SecretSettings:
    """Reads secrets by the addresses that settings hold, and remembers them. Safe to share by threads."""

    def __init__(
        self, identity: Callable[[], CheckedCredential], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``identity``: who may read them; asked for when the first address is met."""
        self._identity = identity
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, str]] = {}  # address -> a setting that names it, the secret
        self._asked = float("-inf")
        self._session = requests.Session()

    def value(self, setting: str, given: str) -> str:
        """What a setting means: itself, or the secret at the address that it is."""
        if given.startswith(_UNRESOLVED):
            reason = (
                f"App Service did not fill in the reference to Key Vault in {setting}: give the app's identity the role"
                " Key Vault Secrets User, see that the secret is there, and restart the app"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
        if not is_address(given):
            return given
        with self._lock:
            if given not in self._known:
                self._known[given] = (setting, self._read(setting, given))
            return self._known[given][1]

    def changed(self) -> bool:
        """Read all of them again; whether one is another now. A secret that cannot be read counts as it was."""
        with self._lock:
            if not self._known or self._clock() - self._asked < PAUSE_SECONDS:
                return False
            self._asked = self._clock()
            before, now = self._known, self._read_again()
            self._known = now
            names = sorted(now[address][0] for address in now if now[address] != before[address])
            if names:
                log.warning("read anew from Key Vault: %s", ", ".join(names))
            return bool(names)

    def _read_again(self) -> dict[str, tuple[str, str]]:
        """What is known, with what the vault says now; one that does not answer is not asked for the others."""
        now = dict(self._known)
        for address, (name, _) in self._known.items():
            try:
                now[address] = (name, self._read(name, address))
            except EdgetrainError as error:
                log.warning("a secret could not be read again: %s", error)
                if isinstance(error, TransientError):
                    break
        return now

    def _read(self, setting: str, address: str) -> str:
        try:
            token = self._identity().get_token(SCOPE).token
        except NoIdentityError:
            reason = (
                f"{setting} is the address of a secret, and the app has no identity to read it with: turn on its"
                " managed identity, or give the secret itself"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
        remedy = f"{setting}, that the secret is there and enabled, and the app's role Key Vault Secrets User"
        found = ask_vault(self._session, "GET", address.rstrip("/"), token, remedy=remedy).get("value")
        if not isinstance(found, str):
            raise stranger(f"the key vault {urlsplit(address).netloc}", "JSON without a secret")
        return found


def is_address(given: str) -> bool:
    """Whether a setting with this value stands for the secret at that address."""
    return bool(_ADDRESS.fullmatch(given)) and (given.startswith("https:") or on_loopback(given))
