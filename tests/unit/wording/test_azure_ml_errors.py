"""What goes wrong at Azure ML, as its clients say it."""

import os
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from azureml.exceptions import ServiceException, UserErrorException
from pydantic import SecretStr

from shared.clients.azure_ml import cloud, outputs
from shared.clients.azure_ml.compute import attach_compute
from shared.clients.azure_ml.driver import AzureMlDriver
from shared.clients.azure_ml.errors import translated as azure_ml_translated
from shared.messages import TrainingRef
from shared.settings import AzureMl, Compute
from tests.support.golden import compare
from tests.unit.wording.canned import an_answer, error_of, raising

SETTINGS = AzureMl(
    metadata_url="https://management.example/metadata",
    cloud="AzureCloud",
    tenant_id="t",
    client_id="c",
    client_secret=SecretStr("s"),
    subscription_id="u",
    resource_group="g",
    workspace="w",
)
A_COMPUTE = Compute(address="10.0.0.4", username="trainer", private_key=SecretStr("no key"))


def a_run(names: list[str], **addresses: str) -> Any:
    """A run of the SDK that lists these files, and finds these."""
    found = {name.replace("__", "/").replace("_dot_", "."): address for name, address in addresses.items()}
    artifacts = SimpleNamespace(get_files_by_artifact_prefix_id=lambda _: found)
    return SimpleNamespace(
        id="r-1",
        status="Completed",
        get_file_names=lambda: names,
        _container="c",
        _client=SimpleNamespace(artifacts=artifacts),
    )


def test_azure_ml(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(error: Exception, action: str = "submit run r-1") -> str:
        def call() -> None:
            with azure_ml_translated(action):
                raise error

        return error_of(call)

    def status(number: int, message: str = "(what it says)") -> ServiceException:
        answer = an_answer(number, {"error": {"message": message}})
        error = ServiceException.__new__(ServiceException)
        Exception.__init__(error, message)
        error.__dict__ |= {"response": answer, "status_code": number, "_exception_message": message}
        return error

    file = "outputs/model/a.txt"
    lists = a_run([file], outputs__model__a_dot_txt="https://storage.example/a")

    def fetched(answer: requests.Response | Exception, run: Any = lists) -> str:
        respond = raising(answer) if isinstance(answer, Exception) else lambda *_, **__: answer
        monkeypatch.setattr(requests, "get", respond)
        return error_of(lambda: outputs.RunOutputs(run).small_file(file, most=100))

    def stored(number: int, body: bytes = b"x", **headers: str) -> requests.Response:
        answer = an_answer(number, body, x_ms_request_id="1", **headers)
        answer.raw = SimpleNamespace(
            stream=lambda *_, **__: iter([body]), close=lambda: None, release_conn=lambda: None
        )
        return answer

    def attached(**known: Any) -> str:
        def state(*_: object) -> str:
            return str(known["state"])

        monkeypatch.setattr("shared.clients.azure_ml.compute._state", state)
        monkeypatch.setattr("shared.clients.azure_ml.compute._attach", known.get("attach", lambda *_: None))
        turns = SimpleNamespace(alone=lambda *_, **__: contextmanager(lambda: iter([None]))())
        clock = iter(range(0, 10_000, 1_000))
        return error_of(
            lambda: attach_compute(
                None, "hub-vm", A_COMPUTE, turns, sleep=lambda _: None, monotonic=lambda: float(next(clock))
            )
        )

    def without_a_model() -> None:
        driver = AzureMlDriver(SimpleNamespace(run=lambda *_: a_run(["log.txt"])), lambda _: A_COMPUTE, None)  # type: ignore[arg-type]
        driver.collect(TrainingRef(run_id="r-1", pipeline="pumps"))

    def clouds(found: object) -> str:
        return error_of(lambda: cloud._require_cloud(found, SETTINGS))

    from shared.clients.azure_ml import compute

    own_key = error_of(lambda: compute._key_text("hub-vm", A_COMPUTE))
    cases = {
        "it answers 503": said(status(503)),
        "it answers 429": said(status(429)),
        "it refuses the principal (403)": said(UserErrorException("(what it says)")),
        "it refuses the request (400)": said(status(400)),
        "the secret has expired": said(requests.ConnectionError("AADSTS7000222: (what it says)")),
        "it does not answer": said(requests.ConnectionError("Connection refused")),
        "it gives no answer to the question": said(KeyError("id")),
        "no file, not even a log": error_of(lambda: outputs.RunOutputs(a_run([])).names()),
        "files that are listed and not found": fetched(stored(200), a_run([file])),
        "its storage does not answer": fetched(requests.ConnectionError("https://storage.example/a?sig=secret")),
        "its storage answers 503": fetched(stored(503)),
        "something else than its storage": fetched(an_answer(200, Content_Type="text/html")),
        "its storage gives other bytes": fetched(stored(200, Content_Length="2")),
        "an address without https": fetched(stored(200), a_run([file], outputs__model__a_dot_txt="http://x.example/a")),
        "no model": error_of(without_a_model),
        "the compute is being attached": attached(state="Creating"),
        "the compute was not attached": attached(state=""),
        "the key of the compute": own_key,
        "metadata by http": error_of(lambda: cloud._fetch("http://management.example")),
        "no metadata": error_of(lambda: cloud._fetch(f"file:///no-such-folder-{os.getpid()}/x")).replace(
            str(os.getpid()), "1"
        ),
        "metadata of another shape": clouds({}),
        "metadata without the cloud": clouds([{"name": "AzureStackCloud"}]),
        "metadata that lack an address": clouds([{"name": "AzureCloud"}]),
    }

    compare("errors_of_azure_ml", "What goes wrong at Azure ML, and whether it may pass.", cases)
