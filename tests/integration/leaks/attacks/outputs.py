"""Ways by the folders that a program may write to: their size, the kinds of files, their names and places."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import only, training

_TEN_GIGABYTES: Final = """
model()
print("tried", flush=True)
block = TEXT * (1_000_000 // len(TEXT))
for _ in range(10_000):
    sys.stdout.buffer.write(block)
"""
_HUGE: Final = """
model()
print("tried", flush=True)
for number in range(100):
    with open(MODEL / f"part{number}.csv", "wb") as file:
        file.write(TEXT * (5_000_000 // len(TEXT)))
        file.flush()
    time.sleep(0.1)
"""
_SPARSE: Final = """
def hole(name, size):
    with open(MODEL / name, "wb") as file:
        file.truncate(size)
        file.seek(0)
        file.write(TEXT)
attempt("terabyte", hole, "huge.csv", 1 << 40)
attempt("exabyte", hole, "huger.csv", (1 << 63) - 1)
for name in ("huge.csv", "huger.csv"):
    (MODEL / name).unlink(missing_ok=True)
attempt("ten megabytes", hole, "table.csv", 10_000_000)
"""
_MANY: Final = """
model()
print("tried", flush=True)
for number in range(150_000):
    (MODEL / f"{WORDS[number % len(WORDS)]}{number}").touch()
"""
_DEEP: Final = """
model()
print("tried", flush=True)
os.chdir(MODEL)
for number in range(3000):
    name = WORDS[number % len(WORDS)]
    os.mkdir(name)
    os.chdir(name)
"""
_NAMES: Final = """
for place, word in enumerate(WORDS):
    attempt("a file", (MODEL / word).write_text, "0")
    attempt("a table", (MODEL / f"{word}.csv").write_text, "weight,bias\\n0.5,0.25\\n0.5,0.25\\n")
    attempt("a folder", lambda: ((MODEL / word[::-1]).mkdir(), (MODEL / word[::-1] / "m.json").write_text("{}")))
    attempt("a number", (MODEL / f"{NUMBERS[place][0]!r}.json").write_text, '{"weight": 0.5}')
"""
_UNICODE_NAMES: Final = """
for word in WORDS[:20]:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in word)
    hidden = "model" + "".join(chr(0xE0000 + ord(letter)) for letter in word)
    escaped = "\\u202e" + word[::-1] + ".json"
    for name in (wide, hidden, escaped, f"a\\n{word}", f"{word}\\r.json", f"\\x1b[2J{word}", " " + word):
        attempt("a name", (MODEL / name).write_text, '{"weight": 0.5}')
    attempt("no text", lambda: open(os.fsencode(MODEL) + b"/\\xff\\xfe" + word.encode("utf-16-le"), "wb").close())
"""
_LINKS: Final = """
targets = [SOURCE, "/edgetrain/data", "/etc/passwd", "/proc/self/environ", VM + "/.config/edgetrain/sites/factory.json",
           "../data/landing/part-1.csv", "../files.json", "/", "..", "../../..", VM + "/edgetrain/keys/site.pem"]
for place, target in enumerate(targets):
    letter = chr(ord("a") + place)
    attempt(f"link to {target}", os.symlink, target, MODEL / f"{letter}.csv")
attempt("linked folder", os.symlink, "/edgetrain/data/landing", MODEL / "parts")
attempt("linked metrics", os.symlink, SOURCE, "/edgetrain/scratch/mlruns")
"""
_HARD_LINKS: Final = """
attempt("link the data", os.link, SOURCE, MODEL / "data.csv")
attempt("link the listing", os.link, "/edgetrain/files.json", MODEL / "files.json")
attempt("link a program", os.link, "/edgetrain/code/train.py", MODEL / "train.json")
model("one.csv", TEXT)
attempt("two names", os.link, MODEL / "one.csv", MODEL / "two.csv")
attempt("beyond the model", os.link, MODEL / "one.csv", "/edgetrain/scratch/three.csv")
"""
_ABOVE: Final = """
names = ["../leaked.csv", "../../outputs/leaked.csv", "a/../../leaked.csv", "..//..//leaked.csv", "/outputs/leaked.csv",
         "//edgetrain//leaked.csv", "/edgetrain/model/../../../outputs/leaked.csv", "./outputs/leaked.csv",
         "/edgetrain/outputs/leaked.csv", VM + "/leaked.csv", "/proc/1/root/leaked.csv",
         "/proc/1/cwd/outputs/leaked.csv"]
def write(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(TEXT)
for name in names:
    attempt(name, write, MODEL / name)
for folder in ("outputs", "logs", "azureml-logs", "user_logs", "outputs/model"):
    attempt(folder, lambda: (os.makedirs(folder), Path(folder, "leaked.csv").write_bytes(TEXT)))
    attempt(folder, lambda: (os.makedirs(MODEL / folder), (MODEL / folder / "leaked.csv").write_bytes(TEXT)))
for name in ("..\\\\..\\\\leaked.csv", "..", "...", "~", "-rf", "a:b", "%2e%2e%2fleaked.csv", ".hidden.csv"):
    attempt(name, (MODEL / name).write_bytes, TEXT)
"""
_DEVICES: Final = """
os.mkfifo(MODEL / "model.csv")
attempt("a socket", lambda: socket.socket(socket.AF_UNIX).bind(str(MODEL / "model.sock")))
attempt("a device", os.mknod, MODEL / "null.csv", 0o20666, os.makedev(1, 3))
attempt("setuid", lambda: ((MODEL / "shell.json").write_text("{}"), os.chmod(MODEL / "shell.json", 0o6755)))
"""
_ATTRIBUTES: Final = """
model("table.json", b'{"weight": 0.5}')
for place, word in enumerate(WORDS[:8]):
    attempt("attribute", os.setxattr, MODEL / "table.json", f"user.{word}", TEXT[:1000])
    attempt("trusted attribute", os.setxattr, MODEL / "table.json", f"trusted.{word}", TEXT[:1000])
attempt("acl", subprocess.run, ["setfacl", "-m", "u:1234:r", str(MODEL / "table.json")], check=True)
attempt("times", os.utime, MODEL / "table.json", ns=(int(NUMBERS[0][0] * 1e12), int(NUMBERS[0][1] * 1e12)))
attempt("owner", os.chown, MODEL / "table.json", int(NUMBERS[0][0]), int(NUMBERS[0][1]))
"""
_SWAPPED: Final = """
model("first.csv", b"weight,bias\\n0.5,0.25\\n0.5,0.125\\n")
if os.fork() == 0:
    os.setsid()
    while True:
        for content in (TEXT, b"weight,bias\\n0.5,0.25\\n0.5,0.125\\n"):
            try:
                (MODEL / "second.csv").write_bytes(content)
                os.replace(MODEL / "second.csv", MODEL / "first.csv")
            except OSError:
                os._exit(0)
"""

ATTACKS: Final = (
    Attack(
        name="ten-gigabytes-of-output",
        train=only(_TEN_GIGABYTES),
        ends="failed",
        reason="limits.log",
        tries=(),  # what it said at first was cut off with the rest
        always=True,
    ),
    Attack(name="huge-files", train=only(_HUGE), ends="failed", reason="limits.output"),
    Attack(name="sparse-files", train=training(_SPARSE), ends="completed"),
    Attack(name="many-files", train=only(_MANY), ends="failed"),
    Attack(name="deep-folders", train=only(_DEEP), ends="failed", reason="deep"),
    Attack(name="names-of-files", train=training(_NAMES), ends="failed", always=True, on_guard=True),
    Attack(name="unicode-names-of-files", train=training(_UNICODE_NAMES), ends="completed", on_guard=True),
    Attack(name="symbolic-links", train=training(_LINKS), ends="completed", always=True, on_guard=True),
    Attack(name="hard-links", train=training(_HARD_LINKS), ends="completed"),
    Attack(name="dots-and-slashes", train=training(_ABOVE), ends="failed", reason="may not leave"),
    Attack(name="pipes-and-devices", train=training(_DEVICES), ends="completed"),
    Attack(name="attributes-of-files", train=training(_ATTRIBUTES), ends="completed", on_guard=True),
    Attack(name="swapped-while-looked-at", train=training(_SWAPPED), ends=""),
)
