"""What goes wrong at the container registry, as its client says it."""

import hashlib
import io

import pytest
import requests

from shared.clients import registry_login
from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.identity import CheckedCredential, NoIdentityError
from shared.clients.registry_address import checked_url
from shared.errors import Code
from tests.support.golden import compare
from tests.unit.wording.canned import an_answer, error_of, raising

URL = "https://registry.example"
DIGEST = f"sha256:{'0' * 64}"


class Canned(requests.adapters.BaseAdapter):
    """Gives its answers one after the other, the last one for good; an exception is raised."""

    def __init__(self, *answers: requests.Response | Exception) -> None:
        super().__init__()
        self.answers = list(answers)

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        answer.request, answer.url = request, str(request.url)
        return answer

    def close(self) -> None:
        pass


def registry(*answers: requests.Response | Exception) -> ContainerRegistryClient:
    client = ContainerRegistryClient(URL)
    client._session.mount("https://", Canned(*answers))
    return client


def test_the_container_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = {"errors": [{"code": "DENIED", "message": "access is denied"}]}
    refused = requests.ConnectionError("Connection refused")
    opened = an_answer(202, Location="/v2/models/x/blobs/uploads/1")

    def pull(*answers: requests.Response | Exception) -> str:
        return error_of(lambda: registry(*answers).get_manifest("models/x", "v1"))

    def push(*answers: requests.Response | Exception, content: bytes = b"x") -> str:
        digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
        return error_of(lambda: registry(*answers).put_blob("models/x", digest, io.BytesIO(content)))

    def log_in(answer: requests.Response | Exception) -> str:
        respond = raising(answer) if isinstance(answer, Exception) else lambda *_, **__: answer
        monkeypatch.setattr(requests, "request", respond)
        return error_of(lambda: registry_login.EntraLogin("http://localhost:1", lambda: "a-token").header(()))

    def alone() -> CheckedCredential:
        raise NoIdentityError("there is none", code=Code.BAD_CONFIGURATION)

    password = registry_login.PasswordLogin(URL, "user", "password")
    cases = {
        "it does not answer": pull(refused),
        "it answers 503": pull(an_answer(503)),
        "it refuses the credentials": pull(an_answer(401, denied)),
        "it may not push": push(an_answer(403, denied)),
        "it refuses the content": push(opened, an_answer(400, {"errors": [{"code": "SIZE", "message": "too big"}]})),
        "a web page": pull(an_answer(200, Content_Type="text/html")),
        "no JSON": pull(an_answer(200, b"nothing")),
        "other content than asked for": error_of(lambda: registry(an_answer(200, b"x")).get_blob("models/x", DIGEST)),
        "an upload session is lost": push(opened, an_answer(404)),
        "it names other content": push(opened, an_answer(201, Docker_Content_Digest=DIGEST)),
        "the content is gone": push(opened, an_answer(201), an_answer(404)),
        "it sends uploads to another host": push(an_answer(202, Location="https://elsewhere.example/")),
        "it sends logins to another host": error_of(
            lambda: password.refused('Bearer realm="https://elsewhere.example/token"', ())
        ),
        "the content does not match": push(opened, content=b"y"),
        "a url with a path": error_of(lambda: checked_url("https://registry.example/path")),
        "a url without https": error_of(lambda: checked_url("http://registry.example")),
        "no login at all": error_of(lambda: registry_login.identity_token(alone)),
        "the login service does not answer": log_in(requests.ConnectionError()),
        "the login service answers 500": log_in(an_answer(500)),
        "the login service refuses": log_in(an_answer(400)),
        "the login service gives no token": log_in(an_answer(200, {})),
    }

    compare("errors_of_the_registry", "What goes wrong at the container registry, and whether it may pass.", cases)
