"""One client's connection: SASL, open, frames in and out. Invalid input ends this connection and affects no other."""

import asyncio
import logging
import time
from typing import Final

from local_stack.service_bus.amqp_types import Array, CodecError, Symbol
from local_stack.service_bus.core import Broker
from local_stack.service_bus.frames import (
    AMQP_HEADER,
    HEADER_SIZE,
    MAX_FRAME,
    SASL_FRAME,
    SASL_HEADER,
    Begin,
    Close,
    End,
    Open,
    Performative,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    decode_frame,
    encode_frame,
    error,
    frame_size,
)
from local_stack.service_bus.messages import parse
from local_stack.service_bus.requests import put_token
from local_stack.service_bus.session import Session
from local_stack.service_bus.tokens import AccessKey, UnauthorizedError

log = logging.getLogger("service_bus.connection")

# The Python SDK asks for ANONYMOUS, .NET clients for MSSBCBS; both then send a token to $cbs.
_MECHANISMS: Final = Array(Symbol, tuple(map(Symbol, ("MSSBCBS", "ANONYMOUS", "PLAIN", "EXTERNAL"))))
_CHANNELS: Final = 255
_IDLE: Final = 240_000  # milliseconds; announced as the service does, but an idle client is not cut off
_LEAST_FRAME: Final = 512
_OPENING: Final = 30.0  # seconds a client may take for the handshake


class Connection:
    """A connection from its first byte to its last. Give it to :meth:`serve` of an asyncio server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, broker: Broker, key: AccessKey
    ) -> None:
        self.broker = broker
        self.max_frame = _LEAST_FRAME
        self._reader = reader
        self._writer = writer
        self._key = key
        self._opened: set[str] = set()
        self._sessions: dict[int, Session] = {}

    async def serve(self) -> None:
        """Serve the client until it leaves or sends what is not AMQP."""
        try:
            async with asyncio.timeout(_OPENING):
                await self._open()
            while await self._one_frame():
                await self._writer.drain()
        except CodecError as refusal:
            log.warning("connection refused reason=%s", refusal)
            self.send(0, Close(error=error("amqp:decode-error", str(refusal))))
        except (OSError, EOFError, TimeoutError):
            log.debug("client left")
        except Exception:
            log.exception("connection failed")
        finally:
            for session in self._sessions.values():
                session.close()
            self._writer.close()

    def send(self, channel: int, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame."""
        self._writer.write(encode_frame(channel, performative, payload))

    def authorize(self, path: str) -> None:
        """Raises :class:`UnauthorizedError` unless a token opens this path."""
        wanted = path.lower()
        if not any(wanted == opened or wanted.startswith(f"{opened}/") or not opened for opened in self._opened):
            raise UnauthorizedError(f"Unauthorized access: no token was sent for '{path}'.")

    def take_token(self, request: bytes) -> bytes:
        """Answer a request to ``$cbs``."""
        path, answer = put_token(parse(request), self._key, time.time())
        if path is not None:
            self._opened.add(path)
        return answer

    async def _open(self) -> None:
        header = await self._reader.readexactly(HEADER_SIZE)
        if header == SASL_HEADER:
            mechanisms = encode_frame(0, SaslMechanisms(mechanisms=_MECHANISMS), kind=SASL_FRAME)
            self._writer.write(SASL_HEADER + mechanisms)
            if not isinstance((await self._read())[1], SaslInit):
                raise CodecError("sasl-init was expected")
            self._writer.write(encode_frame(0, SaslOutcome(code=0), kind=SASL_FRAME))
            header = await self._reader.readexactly(HEADER_SIZE)
        if header != AMQP_HEADER:
            self._writer.write(AMQP_HEADER)
            raise CodecError("the client does not speak AMQP 1.0")
        self._writer.write(AMQP_HEADER)
        _, performative, _ = await self._read()
        if not isinstance(performative, Open):
            raise CodecError("open was expected")
        self.max_frame = max(_LEAST_FRAME, min(performative.max_frame_size, MAX_FRAME))
        answer = Open(
            container_id="service-bus",
            hostname=performative.hostname,
            max_frame_size=MAX_FRAME,
            channel_max=_CHANNELS,
            idle_time_out=_IDLE,
        )
        self.send(0, answer)

    async def _read(self) -> tuple[int, Performative | None, bytes]:
        header = await self._reader.readexactly(HEADER_SIZE)
        rest = await self._reader.readexactly(frame_size(header) - HEADER_SIZE)
        return decode_frame(header + rest)

    async def _one_frame(self) -> bool:
        """Handle the next frame; false when it was the last."""
        channel, performative, payload = await self._read()
        match performative:
            case None:
                return True
            case Close():
                self.send(0, Close())
                return False
            case Begin():
                if channel in self._sessions or channel > _CHANNELS:
                    raise CodecError("the channel is in use or out of bounds")
                self._sessions[channel] = Session(self, channel, performative)
            case End():
                self._session(channel)
                self._sessions.pop(channel).close()
                self.send(channel, End())
            case _:
                self._session(channel).handle(performative, payload)
        return True

    def _session(self, channel: int) -> Session:
        if channel not in self._sessions:
            raise CodecError("no session has begun on this channel")
        return self._sessions[channel]
