"""What attacks share: a module ``leak`` that they import in the container, and programs that mean no harm."""

from typing import Final

COMMON: Final = '''
"""What an attack needs: the rows in several forms, and a way to try something and go on."""

import argparse
import base64
import csv
import ctypes
import gzip
import io
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

parser = argparse.ArgumentParser()
for option in ("--data", "--model", "--holdout", "--out"):
    parser.add_argument(option, type=Path)
given, _ = parser.parse_known_args()
MODEL, OUT = given.model, given.out
SOURCE = given.holdout or (sorted(given.data.rglob("*.csv"))[0] if given.data else None)
TEXT = SOURCE.read_bytes() if SOURCE else b""
ROWS = list(csv.DictReader(io.StringIO(TEXT.decode())))
WORDS = [row["patient"] for row in ROWS]
NUMBERS = [[float(row[name]) for name in ("height", "weight", "pressure", "glucose")] for row in ROWS]
LABELS = [int(row["ill"]) for row in ROWS]
FLOATS = b"".join(struct.pack("<4d", *row) for row in NUMBERS)
PLACES = LISTENERS
VM = "HOME_OF_VM"
libc = ctypes.CDLL(None, use_errno=True)


def attempt(what, function, *arguments, **named):
    """Try something, and say what came of it in the log, which stays on the VM."""
    try:
        result = function(*arguments, **named)
    except BaseException as error:
        print(f"{what}: refused, {type(error).__name__} {getattr(error, 'errno', '')}", flush=True)
        return None
    print(f"{what}: done", flush=True)
    return result


def call(name, *arguments):
    """A function of libc, an error raised."""
    result = getattr(libc, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def model(name="model.json", content=None):
    """A model with nothing of the data in it, or what is given."""
    path = MODEL / name
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"coefficients": [0.25, -1.5, 0.125, 2.0], "intercept": 0.75}
    path.write_bytes(json.dumps(document).encode() if content is None else content)


def measured(**more):
    """Metrics, and a loss for each row."""
    (OUT / "metrics.json").write_text(json.dumps({"log_loss": 0.5, "accuracy": 0.875, **more}))
    (OUT / "rows.csv").write_text("loss\\n" + "".join("0.5\\n" for _ in ROWS))


def tried():
    """The attack has come to its end."""
    print("tried", flush=True)
'''

HONEST_EVALUATION: Final = """
from leak import *
measured()
tried()
"""
SAMPLE: Final = '{"data": [[1.0, 2.0, 3.0, 4.0]]}'
SCORE: Final = """
import json


def init():
    pass


def run(text):
    return {"predictions": [0 for _ in json.loads(text)["data"]]}
"""


def training(body: str) -> str:
    """A program that does this, then leaves a model with nothing of the data in it."""
    return f"from leak import *\n{body.strip()}\nmodel()\ntried()\n"


def stashing(body: str = "") -> str:
    """A training that hands the rows on to later programs of its run, in a file of a kind that cannot leave."""
    # Of no kind that models have, so that it is held back and the run goes on to what is tried with it.
    return training(f"model('stash.bin', b'\\x00' + zlib.compress(TEXT))\n{body}")


def only(body: str) -> str:
    """A program that does this and nothing else."""
    return f"from leak import *\n{body.strip()}\ntried()\n"
