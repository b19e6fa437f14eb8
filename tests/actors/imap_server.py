"""An IMAP server on loopback that speaks what imaplib needs to read a folder, and records each command."""

import re
import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass
class ImapServer:
    """``server.folders["News"] = {uid: message}``; an ``answer`` by verb replaces the server's own lines, None ends the connection."""

    folders: dict[str, dict[int, bytes]] = field(default_factory=dict)
    validity: int = 1
    answers: dict[str, Callable[[str], bytes | None]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    password: str = "right"
    tls: ssl.SSLContext | None = None
    starts_tls: bool = False
    port: int = 0

    def __enter__(self) -> Self:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fetched(self) -> list[int]:
        """The uids of the messages that were asked for."""
        return [int(one.split()[2]) for one in self.commands if one.startswith("UID FETCH")]

    def _handler(server) -> type[socketserver.StreamRequestHandler]:  # noqa: N805 (the handler has a self of its own)
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):  # the reader left
                    if server.tls and not server.starts_tls:
                        self._encrypt()
                    self._serve()
                self.request.close()

            def _encrypt(self) -> None:
                assert server.tls is not None
                self.request = server.tls.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", buffering=0)

            def _serve(self) -> None:
                folder: dict[int, bytes] = {}
                self._say(b"* OK IMAP4rev1 ready\r\n")
                while line := self.rfile.readline().decode().strip():
                    tag, _, command = line.partition(" ")
                    server.commands.append(command)
                    verb = " ".join(command.split()[: 2 if command.startswith("UID") else 1]).upper()
                    if verb == "EXAMINE":
                        folder = server.folders.get(command.partition(" ")[2].strip('"'), {})
                    if verb in server.answers:
                        said = server.answers[verb](command)
                        if said is None:
                            return
                        self._say(said.replace(b"TAG", tag.encode()))
                        continue
                    self._say(server._own(verb, command, folder) + tag.encode() + server._end(verb, command))
                    if verb == "LOGOUT":
                        return
                    if verb == "STARTTLS":
                        self._encrypt()

            def _say(self, data: bytes) -> None:
                self.wfile.write(data)

        return Handler

    def _own(self, verb: str, command: str, folder: dict[int, bytes]) -> bytes:
        if verb == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1" + (b" STARTTLS\r\n" if self.starts_tls else b"\r\n")
        if verb == "EXAMINE":
            return f"* {len(folder)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] valid\r\n".encode()
        if verb == "UID SEARCH":
            first = int(command.rpartition(" ")[2].split(":")[0])
            sender = re.search(r'FROM "([^"]*)"', command)
            found = {uid for uid in folder if uid >= first} | ({max(folder)} if folder else set())
            found = {uid for uid in found if not sender or sender[1].encode() in folder[uid].split(b"\n\n")[0]}
            return f"* SEARCH {' '.join(map(str, sorted(found)))}\r\n".encode()
        if verb == "UID FETCH":
            uid = int(command.split()[2])
            if (data := folder.get(uid)) is None:
                return b""
            most = re.search(r"<0\.(\d+)>", command)
            data = data[: int(most[1])] if most else data
            return f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n"
        return b"* BYE bye\r\n" if verb == "LOGOUT" else b""

    def _end(self, verb: str, command: str) -> bytes:
        if verb == "LOGIN" and not command.endswith(f'"{self.password}"'):
            return f" NO no such user in {command}\r\n".encode()
        if verb == "EXAMINE" and command.partition(" ")[2].strip('"') not in self.folders:
            return b" NO no such mailbox\r\n"
        return b" OK done\r\n"
