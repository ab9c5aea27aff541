"""A network for each container on a VM: its published port leads in, and nothing leads out.

The engines' own ``--internal`` does not do: with podman's CNI a published port then leads to the default route instead
of the container, and Docker publishes nothing. So the network has a bridge with the VM's end of it, and the container
no default route and no right to add one: it reaches neither another network nor another container. What listens on all
addresses of the VM would be in reach at that end; where the engine's user is root, a rule of the firewall refuses it.

A network is named after its port, which no other on the VM has; so are its bridge and its subnet, in the range that
is set aside for tests of devices and that no site routes (RFC 2544).
"""

from typing import Final

from shared.clients.ssh import SshSession
from shared.errors import Code, PermanentError

# $1 engine, $2 name, $3 port. Makes the network unless it is there.
_ENSURE: Final = r"""
import json, os, re, shutil, subprocess, sys

engine, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
bridge = f"edgetrain{port}"


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


def address(last):
    number = (198 << 24) + (18 << 16) + 4 * (port % 32768) + last
    return ".".join(str(number >> bits & 255) for bits in (24, 16, 8, 0))


def folder():
    files = [os.environ.get("CONTAINERS_CONF"), os.path.expanduser("~/.config/containers/containers.conf")]
    for file in [*filter(None, files), "/etc/containers/containers.conf"]:
        if os.path.exists(file):
            with open(file, encoding="utf-8") as stream:
                found = re.search(r'^\s*network_config_dir\s*=\s*"([^"]+)"', stream.read(), re.MULTILINE)
            if found:
                return found[1]
    return "/etc/cni/net.d" if os.geteuid() == 0 else os.path.expanduser("~/.config/cni/net.d")


def cni():
    ipam = {"type": "static", "addresses": [{"address": address(2) + "/30", "gateway": address(1)}]}
    plugins = [
        {"type": "bridge", "bridge": bridge, "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "firewall", "backend": ""},
        {"type": "tuning"},
    ]
    labels = {"podman_labels": {"edgetrain.port": str(port)}}
    os.makedirs(folder(), exist_ok=True)
    path = os.path.join(folder(), f"{name}.conflist")
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump({"args": labels, "cniVersion": "0.4.0", "name": name, "plugins": plugins}, stream, indent=2)
    os.replace(path + ".new", path)


if run(engine, "network", "inspect", name, check=False).returncode:
    if engine == "docker":
        run("docker", "network", "create", "--opt", "com.docker.network.bridge.enable_ip_masquerade=false", name)
    elif run("podman", "info", "--format", "{{.Host.NetworkBackend}}").stdout.strip() == "cni":
        cni()
        run("podman", "network", "inspect", name)
    else:
        run("podman", "network", "create", "--opt", "no_default_route=1", "--opt", "isolate=true", name)
rule = ["INPUT", "-i", bridge, "-m", "conntrack", "--ctstate", "NEW", "-j", "REJECT"]
for firewall in ("iptables", "ip6tables"):
    if engine == "podman" and os.geteuid() == 0 and shutil.which(firewall):
        if run(firewall, "-w", "-C", *rule, check=False).returncode:
            run(firewall, "-w", "-I", *rule, check=firewall == "iptables")
"""

# $1 engine, $2 name, $3 port. Removes the network and its rules; no error when there is none.
_REMOVE: Final = """\
bridge="edgetrain$3"
if "$1" network inspect "$2" >/dev/null 2>&1; then "$1" network rm "$2" >/dev/null || exit 1; fi
for firewall in iptables ip6tables; do
    [ "$1" = podman ] && [ "$(id -u)" = 0 ] && command -v "$firewall" >/dev/null || continue
    while "$firewall" -w -D INPUT -i "$bridge" -m conntrack --ctstate NEW -j REJECT 2>/dev/null; do :; done
done
ip link delete "$bridge" 2>/dev/null || true
"""


def network_name(container: str, port: int) -> str:
    """The name of the network of a container whose port is published as ``port``."""
    return f"{container}-{port}"


def ensure_network(session: SshSession, engine: str, name: str, port: int) -> None:
    """Make the network of that name, unless it is there; raises ``PermanentError`` with what the engine says."""
    made = session.run(["python3", "-c", _ENSURE, engine, name, str(port)], timeout=60.0)
    if made.status != 0:
        reason = f"{session.label}: network {name} cannot be made: {made.said}"
        raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)


def remove_network(session: SshSession, engine: str, name: str, port: int) -> None:
    """Remove the network of that name and what belongs to it; no error when there is none."""
    session.expect(session.script(_REMOVE, engine, name, str(port)), f"removing network {name}")
