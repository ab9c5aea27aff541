"""A hub whose certificates an authority of its own has signed."""

import datetime as dt
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.clients.hub_blobs import HubBlobs
from shared.errors import Code, PermanentError
from shared.settings import Site
from tests.support.small_servers import certificate, served

NOT_THERE = b"HTTP/1.1 404 No\r\nx-ms-request-id: 1\r\nx-ms-error-code: BlobNotFound\r\nContent-Length: 0\r\n\r\n"


def blobs(port: int, bundle: str) -> HubBlobs:
    text = f"BlobEndpoint=https://127.0.0.1:{port}/a;AccountName=a;AccountKey=YWJj"
    return HubBlobs("factory", Site(connection_string=SecretStr(text), ca_bundle=bundle))


def test_the_hubs_own_authorities_are_taken_where_the_settings_name_them(tmp_path: Path) -> None:
    chain = certificate(tmp_path, until=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    with served(NOT_THERE, chain) as port:
        assert blobs(port, str(chain)).find("data", "a.csv") is None


def test_a_file_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="EDGETRAIN_SITES__FACTORY__CA_BUNDLE") as caught:
        blobs(1, str(tmp_path / "no.pem"))

    assert caught.value.code is Code.BAD_CONFIGURATION
