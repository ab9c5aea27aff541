"""What can be wrong with a site's storage and the app's rights there."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from azure.core.exceptions import ResourceExistsError

from shared.doctor import State
from tests.integration.doctor.lab import HOLDOUT, PIPELINE, Fault, Lab
from tests.support.hub_guard import running_hub_guard
from tests.support.hub_rights import least_rights

Changes = Mapping[str, str]
SITE = "EDGETRAIN_SITES__FACTORY__"
WRONG, UNKNOWN = State.WRONG, State.UNKNOWN


@contextmanager
def wrong_signature(lab: Lab) -> Iterator[Changes]:
    """The account's key was changed."""
    text = lab.settings[f"{SITE}CONNECTION_STRING"]
    yield {f"{SITE}CONNECTION_STRING": re.sub(r"sig=[^&;]{6}", "sig=AAAAAA", text)}


def through_guard(**limits: Any) -> Any:
    """The app reaches the hub through a guard of these limits."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        text = lab.settings[f"{SITE}CONNECTION_STRING"]
        behind = re.search(r":(\d+)/", text)
        assert behind is not None
        with running_hub_guard(int(behind[1]), **limits) as port:
            yield {f"{SITE}CONNECTION_STRING": text.replace(behind[0], f":{port}/")}

    return plant


def manifests_by(rights: str) -> Any:
    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        site = least_rights(lab.stack.endpoints["hub_storage"]["connection_string"], manifests=rights)
        yield {f"{SITE}SAS__EDGETRAIN_MANIFESTS": site.sas["edgetrain_manifests"].get_secret_value()}

    return plant


@contextmanager
def no_manifests(lab: Lab) -> Iterator[Changes]:
    with lab.hub("edgetrain-manifests") as container:
        container.delete_container()
        try:
            yield {}
        finally:
            _made_again(container)


@contextmanager
def accounts_key(lab: Lab) -> Iterator[Changes]:
    """The app was given the key of the whole account."""
    yield {f"{SITE}CONNECTION_STRING": lab.stack.endpoints["hub_storage"]["connection_string"]}


def also(right: str) -> Any:
    """The signature for the account has a right besides the one to list."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        site = least_rights(lab.stack.endpoints["hub_storage"]["connection_string"], data=right)
        yield {f"{SITE}CONNECTION_STRING": site.connection_string.get_secret_value()}

    return plant


@contextmanager
def lost_holdout(lab: Lab) -> Iterator[Changes]:
    with lab.hub() as container:
        container.delete_blob(HOLDOUT)
        try:
            yield {}
        finally:
            container.upload_blob(HOLDOUT, b"x\n1\n")


@contextmanager
def no_container(lab: Lab) -> Iterator[Changes]:
    with lab.hub(PIPELINE) as container:
        container.delete_container()
        try:
            yield {}
        finally:
            _made_again(container)
            container.upload_blob(HOLDOUT, b"x\n1\n")
            container.upload_blob("landing/one.csv", b"x\n2\n")


def at_port(listens: Any) -> Any:
    """The hub's address leads to something else."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        with listens() as port:
            text = lab.settings[f"{SITE}CONNECTION_STRING"]
            yield {f"{SITE}CONNECTION_STRING": re.sub(r":\d+/", f":{port}/", text)}

    return plant


@contextmanager
def nothing() -> Iterator[int]:
    """A port at which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def saying(answer: bytes, *, again: bool = False) -> Iterator[int]:
    """A server that gives everybody the same bytes at once, or for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_say, args=(connection, answer, again, over), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


def _say(connection: socket.socket, answer: bytes, again: bool, over: threading.Event) -> None:
    with connection:
        try:
            if answer:
                connection.recv(65_536)
                connection.sendall(answer)
            while again and not over.is_set():
                connection.sendall(answer)
            over.wait(30 if not answer else 0)
        except OSError:
            return


def _made_again(container: Any) -> None:
    for _ in range(100):
        try:
            container.create_container()
            return
        except ResourceExistsError:  # it is still being removed
            time.sleep(0.05)
    raise AssertionError("the container is not there again")


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<p>sign in</p>"

FAULTS = (
    Fault("the storage does not take the signature", "hub", {"hub.list": WRONG}, wrong_signature, ("pipelines",)),
    Fault("the hub knows older versions only", "hub", {"hub.answers": WRONG}, through_guard(newest="2017-11-09")),
    Fault(
        "the hub's clock is ten minutes ahead", "hub", {"hub.clock": WRONG}, through_guard(clock=timedelta(minutes=10))
    ),
    Fault("the hub's clock is behind", "hub", {"hub.clock": WRONG}, through_guard(clock=timedelta(minutes=-10))),
    Fault("manifests cannot be removed", "hub", {"hub.manifests": WRONG}, manifests_by("rcw")),
    Fault("manifests cannot be written", "hub", {"hub.manifests": WRONG}, manifests_by("r")),
    Fault("there is no place for manifests", "hub", {"hub.manifests": WRONG}, no_manifests),
    Fault("the app has the account's key", "hub", {"hub.nothing_more": WRONG}, accounts_key),
    Fault("the app may create among data", "hub", {"hub.nothing_more": WRONG}, also("c")),
    Fault("the app may append to data", "hub", {"hub.nothing_more": WRONG}, also("a")),
    Fault("the hold-out is lost", "hub", {"data.holdout": WRONG}, lost_holdout, ("pipelines",)),
    Fault("the container is gone", "hub", {"data.container": WRONG}, no_container, ("pipelines",)),
    Fault("the hub is down", "hub", {"hub.answers": UNKNOWN}, at_port(nothing)),
    Fault("a sign-in page answers for the hub", "hub", {"hub.answers": UNKNOWN}, at_port(lambda: saying(PAGE))),
)
