"""This IMAP server on loopback supports what imaplib needs to read a folder, and records each command."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.actors.raw_server import LineServer, Talk


@dataclass
class ImapServer(LineServer):
    """``folders["News"]`` is ``{uid: message}``; ``answers`` maps a command to a function for its reply (None disconnects)."""

    folders: dict[str, dict[int, bytes]] = field(default_factory=dict)
    validity: int = 1
    answers: dict[str, Callable[[str], bytes | None]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    password: str = "right"
    starts_tls: bool = False

    def fetched(self) -> list[int]:
        """Return the uids of the messages that a client has asked for."""
        return [int(one.split()[2]) for one in self.commands if one.startswith("UID FETCH")]

    def serve(self, talk: Talk) -> None:
        folder: dict[int, bytes] = {}
        if self.tls and not self.starts_tls:
            talk.encrypt(self.tls)
        talk.say(b"* OK IMAP4rev1 ready\r\n")
        while line := talk.line().decode().strip():
            tag, _, command = line.partition(" ")
            self.commands.append(command)
            verb = " ".join(command.split()[: 2 if command.startswith("UID") else 1]).upper()
            if verb == "EXAMINE":
                folder = self.folders.get(command.partition(" ")[2].strip('"'), {})
            if verb in self.answers:
                said = self.answers[verb](command)
                if said is None:
                    return
                talk.say(said.replace(b"TAG", tag.encode()))
                continue
            talk.say(self._own(verb, command, folder) + tag.encode() + self._end(verb, command))
            if verb == "LOGOUT":
                return
            if verb == "STARTTLS" and self.tls:
                talk.encrypt(self.tls)

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
