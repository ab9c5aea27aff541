import base64
import hashlib
import hmac
from urllib.parse import quote

import pytest

from local_stack.service_bus.tokens import AccessKey, UnauthorizedError, path_of

KEY = AccessKey("secret", "Root")
NOW = 1_000.0


def token(
    resource: str = "sb://127.0.0.1:5672/Orders", expiry: str = "2000", key: str = "secret", name: str = "Root"
) -> str:
    quoted = quote(resource, safe="")
    signed = hmac.new(key.encode(), f"{quoted}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(signed).decode(), safe="")
    return f"SharedAccessSignature sr={quoted}&sig={signature}&se={expiry}&skn={name}"


def test_a_genuine_token_opens_its_path() -> None:
    assert KEY.check(token(), NOW) == "orders"
    assert KEY.check(token("sb://127.0.0.1:5672/t/Subscriptions/s"), NOW) == "t/subscriptions/s"
    assert KEY.check(token("sb://127.0.0.1:5672/"), NOW) == ""


@pytest.mark.parametrize(
    "bad",
    [
        token(key="other"),
        token(name="Other"),
        token(expiry="1000"),
        token(expiry="soon"),
        token().replace("Orders", "Others"),
        token().replace("&se=2000", "&se=3000"),
        token().removeprefix("SharedAccessSignature "),
        "",
        "SharedAccessSignature sig=%FF",
        "SharedAccessSignature é",
    ],
)
def test_any_other_token_is_refused(bad: str) -> None:
    with pytest.raises(UnauthorizedError):
        KEY.check(bad, NOW)


def test_the_key_shows_in_nothing_but_the_connection_string() -> None:
    assert "secret" not in repr(KEY)
    assert KEY.connection_string("127.0.0.1", 5672) == (
        "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=Root;SharedAccessKey=secret;UseDevelopmentEmulator=true;"
    )


@pytest.mark.parametrize("address", ["amqps://127.0.0.1:5672/a/b", "/a/b/", "a/b", "sb://host/a/b"])
def test_addresses_are_stripped(address: str) -> None:
    assert path_of(address) == "a/b"
