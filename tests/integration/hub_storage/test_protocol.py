"""What the hub is asked, and what is said when it does not answer as it should."""

import re
import socket

import pytest
from pydantic import SecretStr

from shared.clients.hub_storage import Hubs, HubStorage
from shared.errors import Code, PermanentError, TransientError
from shared.settings import Site
from tests.support.arrivals import a_pipeline
from tests.support.azurite import a_storage_key


def test_a_hub_that_is_too_old_for_the_configured_version_is_a_matter_of_settings(site: Site) -> None:
    hub = HubStorage("factory", site.model_copy(update={"api_version": "2021-12-02"}))
    with pytest.raises(PermanentError, match="refused the request") as refused:
        hub.take_snapshot(a_pipeline())
    assert refused.value.code is Code.BAD_CONFIGURATION


def test_a_hub_that_does_not_answer_is_transient() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: refused at once
        port = bound.getsockname()[1]
        text = f"AccountName=a;AccountKey=aGk=;BlobEndpoint=http://127.0.0.1:{port}/a;"
        hub = HubStorage("factory", Site(connection_string=SecretStr(text)))
        with pytest.raises(TransientError, match="factory"):
            hub.take_snapshot(a_pipeline())


def test_a_wrong_key_is_permanent_and_names_the_setting(site: Site) -> None:
    right = site.connection_string.get_secret_value()
    wrong = re.sub("AccountKey=[^;]+", f"AccountKey={a_storage_key()}", right)
    hub = HubStorage("north-hall", Site(connection_string=SecretStr(wrong)))
    with pytest.raises(PermanentError, match="EDGETRAIN_SITES__NORTH_HALL__CONNECTION_STRING") as refused:
        hub.take_snapshot(a_pipeline())
    assert refused.value.code is Code.BAD_CONFIGURATION


@pytest.mark.parametrize("text", ["", "AccountKey=c2VjcmV0", "nonsense"])
def test_a_broken_connection_string_is_permanent_and_not_repeated(text: str) -> None:
    with pytest.raises(PermanentError) as refused:
        HubStorage("factory", Site(connection_string=SecretStr(text)))
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert "c2VjcmV0" not in refused.value.reason


def test_the_account_of_a_site_is_known_and_a_broken_site_is_left_out(site: Site) -> None:
    sites = {"factory": site, "broken": Site(connection_string=SecretStr("nonsense"))}
    hubs = Hubs(sites.__getitem__)
    assert hubs.accounts(sites) == {"factory": "hub"}
    assert hubs.hub("factory") is hubs.hub("factory")
    hubs.close()
