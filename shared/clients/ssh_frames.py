"""Frames for commands: they work in any login shell, and separate the command's answer from the shell's own output.

SSH passes a command to the user's login shell, which may not be POSIX (tcsh, fish), and whose start-up files may print.
So the shell gets one line of words that all shells parse alike, which starts a POSIX ``sh``. That prints a mark unique
to this command, and reads the script from the first bytes of its input; after the command it prints the mark again,
with the exit status. Only what is between the marks is the answer; an answer without the second mark was cut off.
"""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.values.texts import shortened


class NotBegunError(Exception):
    """The login shell did not start the command; ``said`` is what it printed instead, on one line."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Frame:
    """One command. Send ``line``, then ``script`` on its input, then the command's own input."""

    command: Sequence[str]
    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def script(self) -> bytes:
        """The script for the POSIX shell."""
        return f"{shlex.join(self.command)}\nprintf '\\n{self.mark} %d\\n' $?\n".encode()

    @property
    def line(self) -> str:
        """The command line for the login shell: no nested quotes, no line break, of constant length."""
        # dd reads byte by byte, so that what follows is left for the command.
        take = f"dd bs=1 count={len(self.script)} 2>/dev/null"
        return f"exec /bin/sh -c 'echo {self.mark}; echo {self.mark} >&2; eval \"$({take})\"'"

    def begun(self, stdout: bytes) -> bytes | None:
        """The output after the first mark; None while the mark has not come."""
        _, begun, answer = stdout.partition(f"{self.mark}\n".encode())
        return answer if begun else None

    def answer(self, stdout: bytes) -> tuple[bytes, int]:
        """The command's output and exit status.

        Raises :class:`NotBegunError` when the command was never started, ``EOFError`` when its answer was cut off.
        """
        answer = self.begun(stdout)
        if answer is None:
            raise NotBegunError(printable(stdout))
        written, ended, status = answer.rpartition(f"\n{self.mark} ".encode())
        if not ended or not status.endswith(b"\n"):
            raise EOFError("the answer was cut before its end")
        return written, int(status)

    def noise(self, stdout: bytes) -> str:
        """What the login shell printed before the command, on one line."""
        return printable(stdout.partition(f"{self.mark}\n".encode())[0])

    def complaints(self, stderr: bytes) -> str:
        """What the command wrote to stderr, without what the login shell wrote before it."""
        _, begun, complaints = stderr.partition(f"{self.mark}\n".encode())
        return (complaints if begun else stderr).decode("utf-8", "replace")


def printable(text: bytes, longest: int = 200) -> str:
    """Bytes from outside on one line, without control characters."""
    decoded = text.decode("utf-8", "replace")
    return shortened("".join(c if c.isprintable() or c.isspace() else "?" for c in decoded), longest)
