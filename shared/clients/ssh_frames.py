"""Commands that survive any login shell, and answers that can be told from what the shell itself says.

SSH hands a command to the user's login shell, which may be one that reads a POSIX command otherwise (tcsh, fish), and
whose start-up files may print. So the shell only gets one line of words that all shells read alike, which makes it a
POSIX ``sh``. That prints a mark made for this command, and takes what it is to do from the first bytes of its input;
after the command it prints the mark again, with the exit status. What is not between the marks is not the answer, and
an answer without the second mark was cut.
"""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.texts import shortened


class NotBegunError(Exception):
    """The login shell did not start the command; ``said`` is what it printed instead, on one line."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Frame:
    """One command. Send ``line``, then ``script`` on its input, then what is meant for the command itself."""

    command: Sequence[str]
    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def script(self) -> bytes:
        """What the POSIX shell on the other side does."""
        return f"{shlex.join(self.command)}\nprintf '\\n{self.mark} %d\\n' $?\n".encode()

    @property
    def line(self) -> str:
        """What the login shell is given: no quote within quotes, no line break, nothing that grows with the command."""
        # dd reads byte by byte, so that what follows is left for the command.
        take = f"dd bs=1 count={len(self.script)} 2>/dev/null"
        return f"exec /bin/sh -c 'echo {self.mark}; echo {self.mark} >&2; eval \"$({take})\"'"

    def begun(self, stdout: bytes) -> bytes | None:
        """What came after the first mark; None while it has not come."""
        _, begun, answer = stdout.partition(f"{self.mark}\n".encode())
        return answer if begun else None

    def answer(self, stdout: bytes) -> tuple[bytes, int]:
        """What the command wrote, and its exit status.

        Raises :class:`NotBegunError` when the command was never started, ``EOFError`` when its answer was cut.
        """
        answer = self.begun(stdout)
        if answer is None:
            raise NotBegunError(printable(stdout))
        written, ended, status = answer.rpartition(f"\n{self.mark} ".encode())
        if not ended or not status.endswith(b"\n"):
            raise EOFError("the answer was cut before its end")
        return written, int(status)

    def complaints(self, stderr: bytes) -> str:
        """What the command wrote to stderr, without what the login shell wrote before it."""
        _, begun, complaints = stderr.partition(f"{self.mark}\n".encode())
        return (complaints if begun else stderr).decode("utf-8", "replace")


def printable(text: bytes, longest: int = 200) -> str:
    """Bytes from outside on one line, without control characters."""
    decoded = text.decode("utf-8", "replace")
    return shortened("".join(c if c.isprintable() or c.isspace() else "?" for c in decoded), longest)
