"""Where the log of a training is, and its text where this machine is the VM's: the local stack."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.client import WrongUseError
from cli.client.answers import Run
from shared.messages.vocabulary import RUN_ID

_STATE: Final = "edgetrain/state"
_LONGEST_LINE: Final = 4000


@dataclass(frozen=True, slots=True)
class FoundLog:
    """``path`` and ``kept``: on the VM; ``command`` reads it; ``lines``: its end, None where it cannot be read here."""

    compute: str
    path: str
    kept: str
    command: str
    lines: tuple[str, ...] | None

    def document(self, run_id: str) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "run_id": run_id,
            "compute": self.compute,
            "path": self.path,
            "kept": self.kept,
            "command": self.command,
            "lines": None if self.lines is None else list(self.lines),
        }


def log_of(run: Run, compute: str, local: Mapping[str, Any], environment: Mapping[str, str], *, most: int) -> FoundLog:
    """Where the log of a run is. ``local``: what the local stack wrote; ``most``: lines."""
    if not RUN_ID.fullmatch(run.run_id):
        raise WrongUseError(f"{run.run_id!r} is no name of a log")
    path = f"~/{_STATE}/logs/{run.run_id}.log"
    kept = f"~/{_STATE}/kept/{run.run_id}/logs"
    vm = local.get("vm")
    home = vm.get("home") if isinstance(vm, dict) else None
    if isinstance(home, str) and home:
        file = Path(home) / _STATE / "logs" / f"{run.run_id}.log"
        inner = Path(home) / _STATE / "kept" / run.run_id / "logs"
        return FoundLog(compute, str(file), str(inner), f"cat {file}", _last_lines(file, most))
    setting = f"EDGETRAIN_COMPUTES__{compute.upper().replace('-', '_')}__"
    user = environment.get(f"{setting}USERNAME") or "USER"
    address = environment.get(f"{setting}ADDRESS") or "ADDRESS"
    return FoundLog(compute, path, kept, f"ssh {user}@{address} cat {path.removeprefix('~/')}", None)


def _last_lines(file: Path, most: int) -> tuple[str, ...]:
    """The end of the log; nothing when there is none yet. Code wrote it, so it is shown with everything escaped."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return tuple(_shown(line) for line in deque(lines, maxlen=most))
    except OSError:
        return ()


def _shown(line: str) -> str:
    """As it is, with its blanks, and with what acts on a terminal escaped."""
    text = line.rstrip("\r\n").expandtabs()[:_LONGEST_LINE]
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
