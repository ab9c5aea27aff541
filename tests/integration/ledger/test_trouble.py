"""What the ledger says when its storage account does not do what it should."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import AccountSasPermissions, ResourceTypes, TableServiceClient, generate_account_sas

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from shared.clients.ledger.azure_tables import AzureTables
from shared.clients.ledger.tables import Insert, Row, Table
from shared.errors import Code, PermanentError, TransientError
from tests.support.azurite import a_storage_key, running_azurite
from tests.support.builders import a_run_request


def test_an_account_that_does_not_answer_is_transient() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: refused at once
        port = bound.getsockname()[1]
        ledger = Ledger(
            StorageAccess.of(f"AccountName=a;AccountKey=aGk=;TableEndpoint=http://127.0.0.1:{port}/a;"),
            "test",
        )
        with pytest.raises(TransientError, match="did not answer"):
            ledger.champions.champion("breast-cancer")


def test_a_wrong_key_is_permanent_and_names_the_setting(tables: str) -> None:
    wrong = ";".join(
        f"AccountKey={a_storage_key()}" if part.startswith("AccountKey") else part for part in tables.split(";")
    )
    ledger = Ledger(StorageAccess.of(wrong), "test")
    with pytest.raises(PermanentError, match="AzureWebJobsStorage") as refused:
        ledger.champions.champion("breast-cancer")
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert "AccountKey" not in refused.value.reason


@pytest.mark.parametrize("text", ["", "AccountKey=c2VjcmV0", "nonsense"])
def test_a_broken_connection_string_is_permanent_and_not_repeated(text: str) -> None:
    with pytest.raises(PermanentError) as refused:
        Ledger(StorageAccess.of(text), "test")
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert "c2VjcmV0" not in refused.value.reason


def test_a_table_removed_under_a_running_app_comes_back_on_the_next_try(
    tables: str, ledger: Ledger, prefix: str
) -> None:
    request = a_run_request()
    ledger.runs.claim_run(request)
    with TableServiceClient.from_connection_string(tables) as service:
        service.delete_table(f"{prefix}runs")

    with pytest.raises(TransientError, match="created again"):
        ledger.runs.claim_run(request)
    assert ledger.runs.claim_run(request) == request


def test_a_table_that_is_missing_and_may_not_be_made_is_no_trouble_that_passes(tables: str, prefix: str) -> None:
    """As where the prefix is another than the app's, and whoever is signed in may write rows but make no tables."""
    given = dict(part.partition("=")[::2] for part in tables.split(";") if part)
    rows_only = generate_account_sas(
        AzureNamedKeyCredential(given["AccountName"], given["AccountKey"]),
        ResourceTypes(service=True, object=True, container=True),
        AccountSasPermissions(read=True, add=True, update=True, delete=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    access = StorageAccess.of(f"TableEndpoint={given['TableEndpoint']};SharedAccessSignature={rows_only}")
    by_signature, by_key = AzureTables(access, prefix), AzureTables(StorageAccess.of(tables), prefix)
    missing = by_signature.table("imagepins")
    for ask in (
        lambda: missing.get("p", "a"),
        lambda: list(missing.rows("p")),
        lambda: missing.insert(Row("p", "a", {})),
        lambda: missing.put(Row("p", "a", {})),
        lambda: missing.transact(Insert(Row("p", "a", {}))),
    ):
        with pytest.raises(PermanentError, match="AzureWebJobsStorage and EDGETRAIN_LEDGER_PREFIX") as refused:
            ask()
        assert rows_only not in str(refused.value)

    by_key.table("imagepins").get("p", "a")  # which makes it

    assert missing.get("p", "a") is None
    assert missing.insert(Row("p", "a", {}))
    by_signature.close()
    by_key.close()


class _BeingDeleted(BaseHTTPRequestHandler):
    """A table that is being deleted, which takes Azure half a minute and Azurite no time."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        code = "TableAlreadyExists" if self.path.endswith("/Tables") else "TableBeingDeleted"
        said = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": "Try later."}}}).encode()
        self.send_response(409)
        self.send_header("Content-Type", "application/json;odata=minimalmetadata")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PATCH = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture
def being_deleted() -> Iterator[Table]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _BeingDeleted) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}/a"
        tables = AzureTables(
            StorageAccess.of(f"AccountName=a;AccountKey={a_storage_key()};TableEndpoint={address};"),
            "test",
        )
        yield tables.table("runs")
        tables.close()
        server.shutdown()


ROW = Row("breast-cancer", "a", {})


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.insert(ROW),
        lambda table: table.put(ROW),
        lambda table: table.transact(Insert(ROW)),
    ],
    ids=["insert", "put", "transact"],
)
def test_a_table_that_is_being_deleted_is_no_row_that_is_there(
    being_deleted: Table, change: Callable[[Table], object]
) -> None:
    with pytest.raises(TransientError):
        change(being_deleted)


def test_everything_is_still_known_after_a_restart(tmp_path: Path) -> None:
    accounts = {"kept": a_storage_key()}
    request = a_run_request()
    for life in range(2):
        with running_azurite(tmp_path, services=["table"], accounts=accounts) as connection_strings:
            ledger = Ledger(StorageAccess.of(connection_strings["kept"]), "test")
            if life == 0:
                ledger.runs.claim_run(request)
            assert ledger.runs.claimed_by(request.pipeline, request.requested_by) == request
            ledger.close()
