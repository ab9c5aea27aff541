"""What is between the app and its storage may answer in its place: that is never the storage's answer."""

import base64
import io
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from shared.clients.frozen_jobs import FrozenJobs
from shared.clients.host_storage import StorageAccess
from shared.clients.hub_blobs import HubBlobs
from shared.clients.ledger.azure_tables import AzureTable, AzureTables
from shared.clients.ledger.tables import Insert, Row
from shared.errors import TransientError
from shared.messages import FrozenJob
from shared.pipelines import Data
from shared.settings import Site
from tests.support.answering import PAGE, SIGN_IN, Answering, Reply, answering

KEY = base64.b64encode(b"k" * 32).decode()
DATA = Data(site="hub", container="c", holdout="h.csv")
OWN = {"x-ms-request-id": "1", "x-ms-version": "2019-07-07"}

Call = Callable[[HubBlobs, AzureTable, FrozenJobs], object]

CALLS: dict[str, Call] = {
    "pages": lambda hub, _table, _jobs: list(hub.pages(DATA)),
    "find": lambda hub, _table, _jobs: hub.find("c", "b"),
    "read_manifest": lambda hub, _table, _jobs: list(hub.read_manifest("m") or ()),
    "keep_manifest": lambda hub, _table, _jobs: hub.keep_manifest("m", io.BytesIO(b"x")),
    "get": lambda _hub, table, _jobs: table.get("p", "k"),
    "rows": lambda _hub, table, _jobs: list(table.rows("p")),
    "insert": lambda _hub, table, _jobs: table.insert(Row("p", "k", {})),
    "put": lambda _hub, table, _jobs: table.put(Row("p", "k", {})),
    "update": lambda _hub, table, _jobs: table.update(Row("p", "k", {}, "e")),
    "delete": lambda _hub, table, _jobs: table.delete(Row("p", "k", {}, "e")),
    "transact": lambda _hub, table, _jobs: table.transact(Insert(Row("p", "k", {})), Insert(Row("p", "l", {}))),
    "read a tree": lambda _hub, _table, jobs: jobs.read(FrozenJob(folder="f", tree="0" * 64)),
}
READS = ["pages", "find", "read_manifest", "get", "rows", "read a tree"]

FOREIGN = {
    "a page": SIGN_IN,
    "not there": Reply(404, PAGE, "text/html"),
    "done": Reply(204, b"", "text/plain"),
    "conflict": Reply(409, b"{}"),
}
CUT = {
    "empty": Reply(200, b"", "application/xml", OWN),
    "half of it": Reply(200, b"<EnumerationResults><Bl", "application/xml", OWN),
    "something else": Reply(200, b"[]", "application/json", OWN),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    with answering() as server:
        yield server


@pytest.fixture(scope="module")
def asking(server: Answering) -> Iterator[Callable[[str], object]]:
    account = f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY}"
    connection = f"{account};BlobEndpoint={server.url}/acc;TableEndpoint={server.url}/acc;"
    hub = HubBlobs("hub", Site(connection_string=SecretStr(connection)))
    access = StorageAccess.of(connection)
    tables, jobs = AzureTables(access, "x"), FrozenJobs(access, "x")
    table = tables.table("claims")
    server.answer = lambda *_: Reply(409, b'{"odata.error": {"code": "TableAlreadyExists"}}', headers=OWN)
    with pytest.raises(TransientError):  # the table is there; the row is asked for, and "409" is no row
        table.get("p", "k")
    yield lambda call: CALLS[call](hub, table, jobs)
    hub.close()
    tables.close()
    jobs.close()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", FOREIGN)
def test_an_answer_without_the_storages_mark_is_not_the_storages(
    server: Answering, asking: Callable[[str], object], call: str, answer: str
) -> None:
    server.answer = lambda *_: FOREIGN[answer]

    with pytest.raises(TransientError, match=r"\((200|204|404|409)\)"):
        asking(call)


@pytest.mark.parametrize("call", READS)
@pytest.mark.parametrize("answer", CUT)
def test_an_answer_that_is_cut_is_no_answer(
    server: Answering, asking: Callable[[str], object], call: str, answer: str
) -> None:
    server.answer = lambda *_: CUT[answer]

    with pytest.raises(TransientError):
        asking(call)


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_breaks_off_is_no_answer(server: Answering, asking: Callable[[str], object], call: str) -> None:
    server.answer = lambda *_: Reply(200, b"<E", "application/xml", OWN, cut=100)

    with pytest.raises(TransientError):
        asking(call)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_transaction_counts_when_every_change_is_answered(
    server: Answering, asking: Callable[[str], object], parts: int
) -> None:
    body = b"--b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n" * parts
    server.answer = lambda *_: Reply(202, body, "multipart/mixed; boundary=b", OWN)

    with pytest.raises(TransientError, match=f"{parts} of 2"):
        asking("transact")
