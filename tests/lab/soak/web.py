"""The worlds of a soak share this web server: one process, many loopback addresses, and a share of faulty answers."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Request:
    host: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """``cut`` ends the connection in the middle of the body, ``silent`` before the answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


Handler = Callable[[Request], Awaitable[Answer]]


class Faults:
    """A random share of the answers fails."""

    def __init__(self, share: float, seed: int, ways: Sequence[Answer]) -> None:
        self._share = share
        self._chance = random.Random(seed)
        self._ways = ways
        self.count = 0

    def strike(self) -> Answer | None:
        if self._chance.random() >= self._share:
            return None
        self.count += 1
        return self._chance.choice(self._ways)


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    try:
        keep = True
        while keep:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = await handle(Request(headers.get("host", ""), first.split(" ")[1], body))
            keep = headers.get("connection", "").lower() != "close" and not (answer.cut or answer.silent)
            if answer.silent:
                break
            sent = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), **answer.headers}
            reason = HTTPStatus(answer.status).phrase
            said = f"HTTP/1.1 {answer.status} {reason}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in sent.items())
            body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
            writer.write(said.encode("latin-1") + b"\r\n" + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # The client may have closed the connection, or was killed.
    finally:
        writer.close()


async def serve(handle: Handler, addresses: Sequence[str], port: int) -> None:
    """Serve until the process is killed; print ``ready`` after the start."""
    server = await asyncio.start_server(lambda r, w: _serve_one(r, w, handle), list(addresses), port, backlog=256)
    print("ready", flush=True)
    await server.serve_forever()
