"""The most memory that a process had at once, measured so that it cannot mean nothing.

``ru_maxrss`` starts at what the parent had when it made the child, so a small child of a large parent shows the parent.
``VmHWM`` belongs to the memory of the program that runs now. :func:`check` holds the measure to processes whose use is
known.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

_BALLAST: Final = 200_000_000
_TOLERANCE: Final = 0.1
_PROGRAM: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from benchmarks.peaks import peak_megabytes
ballast = bytearray(b"x") * int(sys.argv[2])
print(peak_megabytes())
"""


def peak_megabytes(process: str = "self") -> float:
    """The most that a process had at once, in 10**6 bytes; ``OSError`` or ``IndexError`` when it has just ended."""
    status = Path("/proc", process, "status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def check() -> None:
    """Raise ``AssertionError`` unless a child's peak shows what the child uses, and nothing of what its parent uses."""
    ours = bytearray(b"x") * (2 * _BALLAST)
    light, heavy = _child(0), _child(_BALLAST)
    assert len(ours) / 1e6 > light, f"a child that does nothing shows {light:.0f} MB: its parent's"
    seen, used = heavy - light, _BALLAST / 1e6
    assert abs(seen - used) < _TOLERANCE * used, f"{seen:.0f} MB were seen of {used:.0f} MB"


def _child(ballast: int) -> float:
    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-c", _PROGRAM, root, str(ballast)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
