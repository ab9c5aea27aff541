"""Files of a run that did not come, or did not arrive in the storage, as the training left them.

From a server that speaks https as the storage does; what the service lists of the run is made up.
"""

import hashlib
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_stack.azure_ml.tls import ensure_certificates
from shared.clients.azure_ml.outputs import CHECKSUMS_FILE, RunOutputs
from shared.errors import TransientError
from tests.support.answering import Answering, Reply, answering

OWN = {"x-ms-request-id": "1"}
METRICS, MODEL = "outputs/metrics.json", "outputs/model/model.joblib"
CONTENT = b'{"accuracy": 0.75}'
ENOUGH = 1 << 20


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    chain, key, bundle = ensure_certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    with answering(tls) as server:
        yield server


def outputs_of(storage: Answering, files: Mapping[str, Reply]) -> RunOutputs:
    """The outputs of a run with these files."""
    storage.answer = lambda _method, path: files[path.partition("?")[0].lstrip("/")]
    addresses = {name: f"{storage.url}/{name}?sig=secret" for name in files}

    def below(place: str) -> dict[str, str]:
        prefix = place.removeprefix("ExperimentRun/dcid.r/")
        return {name: address for name, address in addresses.items() if name.startswith(prefix)}

    client = SimpleNamespace(artifacts=SimpleNamespace(get_files_by_artifact_prefix_id=below))
    run: Any = SimpleNamespace(id="r", _container="dcid.r", _client=client, get_file_names=lambda: list(addresses))
    return RunOutputs(run)


def kept(content: bytes, *, cut: int = 0) -> Reply:
    return Reply(body=content, headers=OWN, cut=cut)


def as_left(name: str, content: bytes) -> Reply:
    """The list that a job leaves, of one file with this content."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    listed = {name.removeprefix("outputs/"): {"size": len(content), "md5": md5}}
    return kept(json.dumps(listed).encode())


@pytest.mark.parametrize("cut", [1, 10_000_000])
def test_a_file_that_breaks_off_is_tried_again_and_no_fault_of_the_app(storage: Answering, cut: int) -> None:
    outputs = outputs_of(storage, {METRICS: kept(CONTENT, cut=cut)})

    with pytest.raises(TransientError) as raised:
        outputs.small_file(METRICS, most=ENOUGH)

    assert f"{METRICS}: ProtocolError" in str(raised.value)
    assert "http" not in str(raised.value), "the address opens the file"


@pytest.mark.parametrize("arrived", [CONTENT[:-1], b"", CONTENT.replace(b"0.75", b"0.95")])
def test_what_was_cut_or_changed_on_its_way_up_is_not_delivered(
    storage: Answering, tmp_path: Path, arrived: bytes
) -> None:
    """Length and MD5 that the storage gives are those of what arrived there, so they fit."""
    metrics = outputs_of(storage, {METRICS: kept(arrived), CHECKSUMS_FILE: as_left(METRICS, CONTENT)})
    with pytest.raises(TransientError, match=f"keeps {len(arrived)} bytes of {METRICS}"):
        metrics.small_file(METRICS, most=ENOUGH)

    model = outputs_of(storage, {MODEL: kept(arrived), CHECKSUMS_FILE: as_left(MODEL, CONTENT)})
    with pytest.raises(TransientError, match=f"keeps {len(arrived)} bytes of {MODEL}"):
        model.download("outputs/model", into=tmp_path / "model")


@pytest.mark.parametrize("said", [as_left(METRICS, CONTENT), kept(b"[]"), kept(b'{"metrics.json": "abc"}')])
def test_what_came_as_it_was_left_is_taken_and_what_no_job_says_is_left_alone(storage: Answering, said: Reply) -> None:
    outputs = outputs_of(storage, {METRICS: kept(CONTENT), CHECKSUMS_FILE: said})

    assert outputs.small_file(METRICS, most=ENOUGH) == CONTENT


def test_a_list_of_what_was_left_that_was_cut_itself_is_trouble(storage: Answering) -> None:
    cut = kept(as_left(METRICS, CONTENT).body[:-3])
    outputs = outputs_of(storage, {METRICS: kept(CONTENT), CHECKSUMS_FILE: cut})

    with pytest.raises(TransientError, match=CHECKSUMS_FILE):
        outputs.small_file(METRICS, most=ENOUGH)
