"""Sessions of ``requests`` for whoever asks servers that may answer anything: an answer has so many bytes at most."""

from typing import Any, Final

import requests

MOST_BYTES: Final = 16 * 1024 * 1024
_PIECE: Final = 64 * 1024


class BoundedSession(requests.Session):
    """Reads no more than ``most`` bytes of an answer that is not streamed; more is an error of ``requests``."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        super().__init__()
        self._most = most

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """See the base class."""
        streamed = kwargs.get("stream", False)
        response = super().send(request, **kwargs | {"stream": True})
        if streamed:
            return response
        read = bytearray()
        for piece in response.iter_content(_PIECE):
            read += piece
            if len(read) > self._most:
                response.close()
                raise requests.exceptions.ContentDecodingError(f"the answer has more than {self._most} bytes")
        response._content = bytes(read)  # noqa: SLF001 - as requests itself does for an answer that is not streamed
        return response
