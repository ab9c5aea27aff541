"""What the host and a worker process say to each other: numbered calls and their answers, over a pair of sockets.

Both ends are this program, and nobody else has the sockets; that is why values may be pickled.
"""

import asyncio
import pickle
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_LENGTH: Final = struct.Struct(">I")


class Kind(StrEnum):
    """Which of the invoker's methods is called; the first word of a worker is ``READY``."""

    READY = "ready"
    ORCHESTRATOR = "orchestrator"
    ACTIVITY = "activity"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Call:
    """One call; ``arguments`` are those of the method."""

    number: int
    kind: Kind
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: a value, or the exception that the method raises."""

    number: int
    value: Any = None
    error: Exception | None = None


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next one. Raises ``EOFError`` when the other end is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the module
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise EOFError from error


def write_frame(writer: asyncio.StreamWriter, frame: Call | Answer) -> None:
    """Send one; it is sent as a whole, whoever else writes."""
    content = pickle.dumps(frame)
    writer.write(_LENGTH.pack(len(content)) + content)
