"""Which cloud the SDK speaks to; decided once per process, before the SDK is imported, and failing closed.

Facts about azureml-core 1.61, observed:

* It reads ``ARM_CLOUD_METADATA_URL`` once, when it is first used. Without it, it knows the public clouds only.
* A cloud name that it does not find makes it ask ``management.azure.com``, and then fall back to another cloud without
  an error; the service principal's secret would go to the public authority.
* If the folder that ``AZURE_CONFIG_DIR`` names exists, the list is cached there and never asked for again.

The SDK has no public way to say which cloud it chose. So everything it will read is set beforehand: the
variables are set before the import, the cache is ruled out, and the metadata is fetched here first and must list the
configured cloud. What remains for the SDK is to find what was found here.
"""

import json
import os
import secrets
import sys
import tempfile
import threading
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from shared.clients.foreign_answers import stranger
from shared.clients.transient import transient
from shared.errors import Code, PermanentError
from shared.settings import AzureMl

FETCH_SECONDS = 15.0
_SETTING = "EDGETRAIN_AZURE_ML__METADATA_URL"


@dataclass(frozen=True, slots=True)
class ResourceManager:
    """Azure Resource Manager of a cloud. ``scope``: of tokens; ``login``: where these are from; empty: as usual."""

    url: str = "https://management.azure.com"
    scope: str = "https://management.azure.com/.default"
    login: str = ""


_lock = threading.Lock()
_configured: tuple[str, str] | None = None  # metadata URL and cloud of this process


def configure_environment(settings: AzureMl) -> None:
    """Make this process's ``azureml`` speak to the configured cloud, or refuse; call before the first import.

    Idempotent. Raises :class:`PermanentError` when the process is already bound to another cloud, or the metadata does
    not list the configured one; :class:`TransientError` when the metadata cannot be fetched.
    """
    global _configured  # noqa: PLW0603 - what it mirrors, the SDK's state, is global too
    wanted = (settings.metadata_url, settings.cloud)
    with _lock:
        if _configured == wanted:
            return
        if _configured is not None:
            raise _refusal(f"this process already speaks to the cloud {_configured[1]!r}; use one per process")
        if settings.metadata_url:
            _prepare(settings)
        _configured = wanted


def resource_manager(settings: AzureMl) -> ResourceManager:
    """That of the configured cloud. Raises as :func:`configure_environment`, which it leaves alone."""
    if not settings.metadata_url:
        return ResourceManager()
    cloud = _require_cloud(_fetch(settings.metadata_url), settings)
    url, login = str(cloud["resourceManager"]).rstrip("/"), cloud["authentication"]
    if not url.startswith("https://"):
        raise _refusal(f"the resourceManager of cloud {settings.cloud!r} must be an https:// URL")
    audiences = login.get("audiences")
    audience = str(audiences[0]).rstrip("/") if isinstance(audiences, list) and audiences else url
    return ResourceManager(url, f"{audience}/.default", str(login["loginEndpoint"]))


def _prepare(settings: AzureMl) -> None:
    if "azureml.core" in sys.modules and os.environ.get("ARM_CLOUD_METADATA_URL") != settings.metadata_url:
        raise _refusal("azureml was imported before its cloud was configured; it may have chosen another")
    _require_cloud(_fetch(settings.metadata_url), settings)
    os.environ["ARM_CLOUD_METADATA_URL"] = settings.metadata_url
    os.environ["AZUREML_CURRENT_CLOUD"] = settings.cloud
    if "azureml.core" not in sys.modules:
        # A folder that does not exist, and whose name nobody can guess and create: no stale or planted cache.
        os.environ["AZURE_CONFIG_DIR"] = str(Path(tempfile.gettempdir()) / f"no-azure-config-{secrets.token_hex(16)}")


def _fetch(url: str) -> Any:
    """Fetch the metadata as the SDK does: by urllib, so that the same certificates count (``SSL_CERT_FILE``)."""
    if not url.startswith(("https://", "file://")):
        raise _refusal("must be an https:// or file:// URL")
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:  # noqa: S310 - the scheme was checked
            return json.load(response)
    except (OSError, HTTPException) as error:
        cause = f"the Azure ML cloud metadata at {url} cannot be fetched: {error}"
        raise transient(cause, check=f"the network between the app and it, and {_SETTING}") from error
    except (ValueError, RecursionError):
        if url.startswith("file://"):
            raise _refusal(f"{url} does not answer with JSON") from None
        raise stranger(f"the Azure ML cloud metadata at {url}", "no JSON") from None


def _require_cloud(clouds: Any, settings: AzureMl) -> dict[str, Any]:
    if not isinstance(clouds, list) and settings.metadata_url.startswith("https://"):
        raise stranger(f"the Azure ML cloud metadata at {settings.metadata_url}", "JSON of another shape")
    entries = [entry for entry in clouds if isinstance(entry, dict)] if isinstance(clouds, list) else []
    named = [entry for entry in entries if entry.get("name") == settings.cloud]
    if not named:
        known = ", ".join(sorted(str(entry.get("name")) for entry in entries)) or "none"
        raise _refusal(f"{settings.metadata_url} lists no cloud {settings.cloud!r} (it lists: {known})")
    login = named[0].get("authentication")
    if not named[0].get("resourceManager") or not (isinstance(login, dict) and login.get("loginEndpoint")):
        raise _refusal(f"{settings.metadata_url}: cloud {settings.cloud!r} lacks resourceManager or loginEndpoint")
    return named[0]


def _refusal(reason: str) -> PermanentError:
    return PermanentError(f"{_SETTING} or __CLOUD: {reason}", code=Code.BAD_CONFIGURATION)
