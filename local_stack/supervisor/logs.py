"""Log files: one per service and start, the last few kept."""

from pathlib import Path

KEPT = 3
_TAIL_BYTES = 16_384


def rotate(log: Path) -> None:
    """Make room for a new ``NAME.log``: what was there becomes ``NAME.1.log`` and so on; the oldest goes."""
    numbered = [log, *(log.with_name(f"{log.stem}.{number}.log") for number in range(1, KEPT + 1))]
    for older, newer in zip(reversed(numbered), reversed(numbered[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
