"""Questions and answers between a worker and its readers: a JSON object, and bytes behind it."""

from __future__ import annotations

import json
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

_LENGTHS = struct.Struct("!II")
_LARGEST_HEAD = 1024 * 1024
_CHUNK = 1024 * 1024
_SLICE = 0.5  # seconds of waiting after which a job can be interrupted


def send_frame(sock: socket.socket, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Send a frame: a JSON object and bytes."""
    text = json.dumps(head).encode()
    sock.sendall(_LENGTHS.pack(len(text), len(body)) + text)
    sock.sendall(body)


def read_frame(receive: Callable[[int], bytes], largest: int) -> tuple[dict[str, Any], bytes]:
    """Read a frame by ``receive``, which returns exactly the requested number of bytes.

    Raises:
        ValueError: it is not a frame, or its body is larger than ``largest``.
    """
    head_size, size = _LENGTHS.unpack(receive(_LENGTHS.size))
    if head_size > _LARGEST_HEAD or size > largest:
        raise ValueError(f"expected a frame of at most {largest} bytes, got one of {size}")
    head: dict[str, Any] = json.loads(receive(head_size))
    return head, receive(size)


def receiver(sock: socket.socket, deadline: float | None = None) -> Callable[[int], bytes]:
    """A function for ``read_frame`` that receives bytes until ``deadline`` (``time.monotonic``), if there is one.

    It raises EOFError at the end of the stream, and TimeoutError.
    """

    def receive(size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            if deadline is not None:
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError
                sock.settimeout(min(left, _SLICE))
            with suppress(TimeoutError):
                if not (chunk := sock.recv(min(size - len(data), _CHUNK))):
                    raise EOFError
                data += chunk
        return bytes(data)

    return receive
