"""An SMTP server on loopback, written with asyncio: it keeps each message and answers as the test says."""

import asyncio
import base64
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self


@dataclass
class Received:
    """One mail as it came in."""

    sender: str
    to: list[str]
    message: EmailMessage
    user: str
    is_encrypted: bool


@dataclass
class MailServer:
    """``server.answers["RCPT"] = "550 no such person"`` answers so, once for each text of a list; ``mails`` is what came in."""

    tls: ssl.SSLContext | None = None
    answers: dict[str, list[str]] = field(default_factory=dict)
    mails: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            self._server.close()
            mine = asyncio.current_task()
            others = [task for task in asyncio.all_tasks() if task is not mine]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        user, sender, to, encrypted = "", "", list[str](), False
        try:
            self._say(writer, "220 mail.example ESMTP")
            while line := (await reader.readline()).decode("utf-8", "replace").strip():
                verb = line.split(" ", 1)[0].upper()
                scripted = self.answers.get(verb)
                if scripted:
                    self._say(writer, scripted.pop(0))
                elif verb == "EHLO":
                    self._say(
                        writer,
                        "250-mail.example",
                        *(["250-STARTTLS"] if self.tls and not encrypted else []),
                        "250 AUTH PLAIN",
                    )
                elif verb == "STARTTLS" and self.tls:
                    self._say(writer, "220 go ahead")
                    await writer.drain()
                    await writer.start_tls(self.tls)
                    encrypted = True
                elif verb == "AUTH":
                    _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    self._say(writer, "235 in" if password == "right" else "535 no")
                elif verb == "MAIL":
                    sender, to = line.split("<")[1].split(">")[0], []
                    self._say(writer, "250 ok")
                elif verb == "RCPT":
                    to.append(line.split("<")[1].split(">")[0])
                    self._say(writer, "250 ok")
                elif verb == "DATA":
                    self._say(writer, "354 go on")
                    body = await self._body(reader)
                    message = message_from_bytes(body, policy=policy.default)
                    self.mails.append(Received(sender, to, message, user, encrypted))
                    self._say(writer, "250 taken")
                elif verb == "QUIT":
                    self._say(writer, "221 bye")
                    break
                else:
                    self._say(writer, "250 ok" if verb in {"RSET", "NOOP"} else "502 unknown")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _body(self, reader: asyncio.StreamReader) -> bytes:
        lines = []
        while (line := await reader.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, writer: asyncio.StreamWriter, *lines: str) -> None:
        writer.write("".join(f"{line}\r\n" for line in lines).encode())
