"""What the tests of bad input ask of the running app, whichever way the input came."""

import requests

from shared.clients.ledger import Ledger


def assert_no_traceback(answer: requests.Response) -> None:
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text


def reason_outside(ledger: Ledger, blob: str) -> str:
    (arrival,) = [found for found in ledger.arrivals.list_arrivals(None).items if found.arrival.blob == blob]
    assert arrival.verdict == "outside"
    return arrival.reason
