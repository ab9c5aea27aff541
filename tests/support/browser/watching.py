"""What no page of ours may do: say an error, fail to load something, ask another host, or come without a policy."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Response, WebError, WebSocket

_NOT_LOADED: Final = "Failed to load resource: "
_STATUS: Final = re.compile(r"responded with a status of (\d{3})")
_LEFT: Final = "net::ERR_ABORTED"  # whoever goes to another page, or closes one, does not wait for what it loads
_OURS: Final = (["'self'"], ["'none'"])
_WIDE: Final = ("'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "*", "http:", "https:", "data:", "blob:")
# These three do not follow default-src.
_ALONE: Final = ("frame-ancestors", "base-uri", "form-action")
_HARMLESS: Final = {"img-src data:", "img-src blob:", "font-src data:"}


def weakness(policy: str) -> str | None:
    """Why a content security policy is none that we would send; ``None`` when it is good."""
    parts = [part.split() for part in policy.lower().split(";") if part.strip()]
    said = {name: sources for name, *sources in parts}
    if not policy:
        return "has no content security policy"
    if said.get("default-src") not in _OURS:
        return "has a policy whose default-src is neither 'self' nor 'none'"
    if lacking := [name for name in _ALONE if name not in said]:
        return f"has a policy without {', '.join(lacking)}"
    wide = {f"{name} {source}" for name, sources in said.items() for source in sources if source in _WIDE} - _HARMLESS
    return f"has a policy that allows {', '.join(sorted(wide))}" if wide else None


@dataclass  # without slots: Playwright keeps what it makes of a listener with whom it belongs to
class Watch:
    """Follows all pages of one browser context. ``expected``: statuses that a test has asked for."""

    address: str
    expected: frozenset[int]
    _faults: list[str] = field(default_factory=list)
    _said: list[tuple[str, str]] = field(default_factory=list)
    """Address and text of what the console said was not loaded: mostly known already, but not of a favicon."""

    def follow(self, context: "BrowserContext") -> None:
        """Listen, from before its first page on."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("dialog", self._dialog)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("page", self._page)

    def found(self) -> list[str]:
        """Everything that was wrong so far."""
        known = "\n".join(self._faults)
        return self._faults + [f"console of {address}: {text}" for address, text in self._said if address not in known]

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type not in {"error", "assert"}:
            return
        address = message.location["url"]
        if not message.text.startswith(_NOT_LOADED):
            self._faults.append(f"console of {address}: {message.text}")
        elif _LEFT not in message.text and not self._is_expected(message.text):
            self._said.append((address, message.text))

    def _is_expected(self, text: str) -> bool:
        status = _STATUS.search(text)
        return status is not None and int(status[1]) in self.expected

    def _error(self, error: "WebError") -> None:
        self._faults.append(f"error in {error.page.url if error.page else self.address}: {error.error}")

    def _dialog(self, dialog: "Dialog") -> None:
        self._faults.append(f"a {dialog.type} was opened: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: "Request") -> None:
        self._same_host(request.url)

    def _page(self, page: "Page") -> None:
        page.on("websocket", self._web_socket)

    def _web_socket(self, socket: "WebSocket") -> None:
        self._same_host(socket.url)

    def _same_host(self, address: str) -> None:
        parts = urlsplit(address)
        # data:, blob: and about: leave the browser for no host.
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(self.address).netloc:
            self._faults.append(f"another host was asked: {address}")

    def _failed(self, request: "Request") -> None:
        if request.failure != _LEFT:
            self._faults.append(f"{request.method} {request.url} failed: {request.failure}")

    def _response(self, response: "Response") -> None:
        if response.status >= 400 and response.status not in self.expected:
            self._faults.append(f"{response.request.method} {response.url} answered {response.status}")
        if "html" in response.headers.get("content-type", "") and (
            weak := weakness(response.headers.get("content-security-policy", ""))
        ):
            self._faults.append(f"{response.url} {weak}")
