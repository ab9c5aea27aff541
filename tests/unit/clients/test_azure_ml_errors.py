"""What the Azure ML service said, out of the exceptions of its SDK."""

import json

import pytest
import requests
from azureml.exceptions import ExperimentExecutionException, ServiceException
from msrest import Deserializer
from msrest.exceptions import HttpOperationError

from shared.clients.azure_ml.errors import translated
from shared.errors import TransientError

HEADERS = {"content-type": "application/json", "x-request-time": "0.1", "filler": "h" * 600}


def failure(body: str) -> ServiceException:
    """As the SDK's generated client raises it for such an answer."""
    response = requests.Response()
    response.status_code, response.reason = 500, "Internal Server Error"
    response.headers.update(HEADERS)
    response._content = body.encode()
    deserializer = Deserializer()  # type: ignore[no-untyped-call]  # msrest has types in part
    return ServiceException(HttpOperationError(deserializer, response))


def test_the_services_own_sentence_is_kept_and_not_the_headers() -> None:
    body = json.dumps({"error": {"code": "ServiceError", "message": "the store is read-only", "details": ["d" * 600]}})

    with pytest.raises(TransientError) as caught, translated("submit run r-1"):
        raise failure(body)

    assert "submit run r-1: it answered 500: the store is read-only;" in str(caught.value)
    assert "filler" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"error": null}', '{"error": {"message": 3}}', "[" * 9999])
def test_an_answer_of_another_shape_is_quoted_as_the_sdk_has_it(body: str) -> None:
    with pytest.raises(TransientError, match=r"it answered 500: .*Internal Server Error"), translated("submit run r-1"):
        raise failure(body)


@pytest.mark.parametrize("quote", ['"', '\\"'], ids=["plain", "escaped"])
def test_a_sentence_is_found_in_a_text_that_quotes_the_whole_answer(quote: str) -> None:
    body = f"{{{quote}error{quote}: {{{quote}message{quote}: {quote}the store is read-only{quote}}}}}"
    filler = "h" * 600

    with pytest.raises(TransientError) as caught, translated("submit run r-1"):
        raise ExperimentExecutionException(f"{filler} {body} {filler}")

    assert "submit run r-1: ExperimentExecutionException: the store is read-only;" in str(caught.value)
    assert filler not in str(caught.value)
