"""A file of a run that breaks off on its way, from a server that speaks https as the storage does."""

import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_stack.azure_ml.tls import ensure_certificates
from shared.clients.azure_ml.outputs import RunOutputs
from shared.errors import TransientError
from tests.support.answering import Told, answering

OWN = {"x-ms-request-id": "1"}


def outputs_at(url: str) -> RunOutputs:
    """The outputs of a run with one file, which is at that address."""
    listed = SimpleNamespace(get_files_by_artifact_prefix_id=lambda _place: {"outputs/metrics.json": url})
    run: Any = SimpleNamespace(
        id="r", _container="dcid.r", _client=SimpleNamespace(artifacts=listed), get_file_names=lambda: list(NAMES)
    )
    return RunOutputs(run)


NAMES = ("outputs/metrics.json",)


@pytest.mark.parametrize("cut", [1, 10_000_000])
def test_a_file_that_breaks_off_is_tried_again_and_no_fault_of_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    chain, key, bundle = ensure_certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    with answering(tls) as server:
        server.answer = lambda _method, _path: Told(body=b'{"accuracy": 0.75}', headers=OWN, cut=cut)
        outputs = outputs_at(f"{server.url}/container/metrics.json?sig=secret")

        with pytest.raises(TransientError) as raised:
            outputs.small_file(NAMES[0], most=1 << 20)

    assert str(raised.value) == "the storage of Azure ML did not give outputs/metrics.json: ProtocolError"
