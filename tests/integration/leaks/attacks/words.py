"""Ways by what is said of a run: metrics and their names, reasons, exit codes, logs, the receipt itself."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import SCORE, only, stashing, training

_STASHED = """
STASH = zlib.decompress((Path("/edgetrain/model") / "stash.bin").read_bytes()[1:])
OTHERS = [line.split(",") for line in STASH.decode().splitlines()[1:]]
WORDS += [cells[0] for cells in OTHERS]
NUMBERS += [[float(cell) for cell in cells[1:5]] for cells in OTHERS]
"""
_BOTH = ("train", "evaluate")


def _evaluation(name: str, body: str, *, ends: str, reason: str = "", always: bool = False) -> Attack:
    """A training that hands rows on to an evaluation, which says something with them and with the hold-out's."""
    program = only(_STASHED + body)
    return Attack(name=name, train=stashing(), evaluate=program, ends=ends, tries=_BOTH, reason=reason, always=always)


_PRINTED = """
import logging, warnings
for line in TEXT.decode().splitlines():
    print(line)
    print(line, file=sys.stderr)
    logging.warning(line)
os.write(1, TEXT)
os.write(2, TEXT)
attempt("other descriptors", lambda: [os.write(number, TEXT) for number in range(3, 20)])
attempt("terminal", lambda: open("/dev/tty", "wb").write(TEXT))
attempt("console", lambda: open("/dev/console", "wb").write(TEXT))
subprocess.run(["sh", "-c", f"echo {WORDS[0]}; echo {WORDS[1]} >&2"])
Path("/edgetrain/scratch/reason.txt").write_text(f"failed: {WORDS[0]}")
"""
_TRACEBACK = """
model()
print("tried", flush=True)
code = compile("raise ValueError(WORDS[0])", f"/edgetrain/code/{WORDS[1]}.py", "exec")
kind = type(WORDS[2], (Exception,), {"__module__": WORDS[3]})
try:
    exec(code)
except ValueError as error:
    error.add_note(WORDS[4])
    raise kind(WORDS[5]) from error
"""
_FALSE_TRACEBACK = """
model()
print("tried", flush=True)
print("Traceback (most recent call last):", file=sys.stderr)
print(f'  File "/edgetrain/code/train.py", line {len(TEXT) % 7 + 1}, in {WORDS[0]}', file=sys.stderr)
print(f'  File "/edgetrain/code/{WORDS[0]}", line 1, in {WORDS[0]}', file=sys.stderr)
print(f"ModuleNotFoundError: No module named '{WORDS[1]}'", file=sys.stderr)
print(f"failed: {WORDS[2]}", file=sys.stderr)
print(f"failed: {WORDS[2]}")
os._exit(1)
"""
_STATUS = "model()\nprint('tried', flush=True)\nsys.exit(int(NUMBERS[0][0]) % 256)"
_SIGNAL = "model()\nprint('tried', flush=True)\nos.kill(os.getpid(), 6 if LABELS[0] else 8)"
_ANSWER = f"""
import base64, json, pathlib, zlib


def init():
    print("tried", flush=True)


def run(text):
    stash = zlib.decompress(pathlib.Path("/edgetrain/model/stash.bin").read_bytes()[1:])
    ANSWER


KEPT = {SCORE!r}
"""
_MLFLOW = """
for place in (OUT / "mlruns/0/run", ):
    for folder in ("metrics", "params", "tags", "artifacts"):
        (place / folder).mkdir(parents=True)
    for word, row in zip(WORDS, NUMBERS):
        (place / "metrics" / word).write_text(f"1 {row[0]!r} 0\\n")
        (place / "params" / word).write_text(word)
        (place / "tags" / word).write_text(word)
    (place / "artifacts" / "rows.csv").write_bytes(STASH)
measured()
"""

_SLICES: Final = """
measured()
lines = [f"{row[0]!r},{word}" for word, row in zip(WORDS, NUMBERS[:60])]
(OUT / "rows.csv").write_text("\\n".join(["loss,slice", *lines, ""]))
"""

ATTACKS: Final = (
    Attack(name="printed", train=training(_PRINTED), ends="completed", always=True),
    Attack(name="traceback", train=only(_TRACEBACK), ends="failed", reason="status 1", always=True),
    Attack(name="false-traceback", train=only(_FALSE_TRACEBACK), ends="failed", reason="status 1"),
    Attack(name="exit-code", train=only(_STATUS), ends="failed"),
    Attack(name="signal", train=only(_SIGNAL), ends=""),  # the first process of a container may ignore signals
    Attack(name="exit-text", train=only("model()\nprint('tried', flush=True)\nsys.exit(TEXT.decode())"), ends="failed"),
    _evaluation("names-of-metrics", "measured(**{word: 0.5 for word in WORDS[60:95:5]})", ends="failed", always=True),
    _evaluation("names-of-metrics-of-held-out-rows", "measured(**{word: 0.5 for word in WORDS[:15:5]})", ends="failed"),
    _evaluation(
        "values-of-metrics", "measured(**{f'm{n}': NUMBERS[60 + n][0] for n in range(1, 6)})", ends="completed"
    ),
    _evaluation(
        "numbers-as-names-of-metrics", "measured(**{f'm{NUMBERS[0][n]!r}': 0.5 for n in range(4)})", ends="failed"
    ),
    _evaluation("metric-that-is-no-number", "measured(**{WORDS[0]: float('nan')})", ends="failed"),
    _evaluation("metric-that-is-a-text", "measured(**{WORDS[60]: WORDS[0]})", ends="failed"),
    _evaluation(
        "judged-metric-is-missing",
        "(OUT / 'metrics.json').write_text(json.dumps({word: 0.5 for word in WORDS[::5]}))",
        ends="failed",
    ),
    _evaluation("metrics-are-no-json", "(OUT / 'metrics.json').write_bytes(STASH)", ends="failed"),
    _evaluation(
        "too-many-metrics",
        "measured(**{f'a{chr(97 + n % 26)}{chr(97 + n // 26)}': NUMBERS[n][0] for n in range(60)})",
        ends="completed",
    ),
    _evaluation("mlflow", _MLFLOW, ends=""),
    _evaluation(
        "names-of-slices",
        _SLICES,
        ends="completed",
    ),
    _evaluation("header-of-losses", "measured()\n(OUT / 'rows.csv').write_bytes(STASH)", ends="failed"),
    _evaluation(
        "files-of-evaluation",
        "measured()\nfor name in ('rows.json', 'receipt.json', 'champion.json'):\n    (OUT / name).write_bytes(STASH)",
        ends="completed",
    ),
    Attack(
        name="answer-to-the-sample",
        train=stashing(),
        score=_ANSWER.replace("ANSWER", "return stash.decode()"),
        ends="failed",
        tries=("train", "smoke"),
        on_guard=True,
        reason="may not leave",
        always=True,
    ),
    Attack(
        name="answer-in-base64",
        train=stashing(),
        score=_ANSWER.replace("ANSWER", "return {'predictions': [base64.b64encode(stash[:3000]).decode()]}"),
        ends="failed",
        tries=("train", "smoke"),
        on_guard=True,
        reason="may not leave",
    ),
    Attack(
        name="names-in-the-answer",
        train=stashing(),
        score=_ANSWER.replace("ANSWER", "return {line.split(',')[0]: 1 for line in stash.decode().splitlines()[1:9]}"),
        ends="failed",
        tries=("train", "smoke"),
        on_guard=True,
        reason="may not leave",
    ),
    Attack(
        name="names-of-files-held-back",
        train=training(
            "for word in WORDS[::5]:\n    model(f'{word}.bin', b'\\0\\1\\2')\n    model(f'{word}/{word}.exe', b'\\0')"
        ),
        ends="completed",
        on_guard=True,
        always=True,
    ),
)
