"""Make the serving slot of a pipeline on a VM: ports, slot file, HAProxy's frontend and backend."""

from collections.abc import Callable
from typing import Final

from shared.clients.ssh import SshSession
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.errors import Code, EdgetrainError, PermanentError
from shared.serving.slots import Colour, Slot, parse_slot, slot_path, slot_text

# Ports below the range that the kernel gives to outgoing connections, so that nothing takes them while the VM is down.
# A port can be free and lead elsewhere all the same: a container that was killed with its engine leaves a rule in the
# firewall that sends what comes for its port to an address where nobody is any more. So each port is tried.
# $1 address of the frontend. Prints three ports that are free, and in no other slot.
_FREE_PORTS: Final = """\
import glob, json, random, socket, struct, sys
taken = set()
for path in glob.glob("serving/*.json"):
    with open(path, encoding="utf-8") as stream:
        slot = json.load(stream)
    taken |= {slot["frontend_port"], *slot["ports"].values()}
def free(port, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as caller:
        # As servers do: what is left of connections of before, in TIME_WAIT, is no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(2)
        caller.settimeout(2)
        # Ends with a reset, so that the port is not kept busy for a minute by a connection that is over.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            listener.bind((address, port))
            listener.listen()
            caller.connect((address, port))
            accepted, _ = listener.accept()
            caller.close()
            accepted.close()
        except OSError:
            return False
    return True
found = []
for port in random.sample(range(20000, 30000), 50):
    if port not in taken and free(port, "127.0.0.1") and free(port, sys.argv[1]):
        found.append(port)
    if len(found) == 3:
        break
print(*found)
"""


def ensure_slot(session: SshSession, pipeline: str, *, say: Callable[[str], None]) -> Slot:
    """The pipeline's slot on the VM, made if there is none, and known to the running HAProxy.

    A slot that exists is kept as it is, and HAProxy is reloaded only when its configuration had to change.
    """
    haproxy = HaproxyRuntime(session)
    with session.lock("serving/locks/prepare", wait=60), session.lock(f"serving/locks/{pipeline}", wait=60):
        slot = _existing(session, pipeline)
        if slot is None:
            slot = _new(session, pipeline)
            session.write_text(slot_path(pipeline), slot_text(slot))
            say(f"{session.label}: made a serving slot for {pipeline}, frontend {slot.bind}:{slot.frontend_port}")
        else:
            say(f"{session.label}: the serving slot of {pipeline} is there, {slot.bind}:{slot.frontend_port}")
        before = haproxy.config(pipeline)
        if haproxy.write_config(slot) or not haproxy.loaded(pipeline):
            try:
                haproxy.reload(pipeline)
            except EdgetrainError:
                haproxy.restore_config(pipeline, before)
                raise
            say(f"{session.label}: HAProxy has loaded the configuration of {pipeline}")
    return slot


def _existing(session: SshSession, pipeline: str) -> Slot | None:
    text = session.read_text(slot_path(pipeline))
    if text is None:
        return None
    try:
        return parse_slot(text)
    except ValueError as error:
        reason = (
            f"{session.label}: ~/{slot_path(pipeline)} cannot be read ({error}); "
            f"remove it and the containers edgetrain-{pipeline}-*, then run this again"
        )
        raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED) from error


def _new(session: SshSession, pipeline: str) -> Slot:
    # The address at which this connection reached the VM is one that clients can reach too, also behind NAT.
    reached = session.expect(session.script("echo $SSH_CONNECTION"), "asking for the VM's address").stdout.split()
    bind = reached[2].decode() if len(reached) == 4 else "127.0.0.1"
    ports = session.expect(session.run(["python3", "-c", _FREE_PORTS, bind]), "looking for free ports").stdout.split()
    if len(ports) != 3:
        raise PermanentError(f"{session.label}: no three free ports on {bind}", code=Code.TARGET_NOT_PREPARED)
    frontend, blue, green = map(int, ports)
    return Slot(pipeline=pipeline, bind=bind, frontend_port=frontend, ports={Colour.BLUE: blue, Colour.GREEN: green})
