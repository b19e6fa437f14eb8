"""This SMTP server on loopback keeps each message and gives the answers that a test sets."""

import base64
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.actors.raw_server import LineServer, Talk


@dataclass
class Received:
    sender: str
    to: list[str]
    message: EmailMessage
    user: str
    is_encrypted: bool


@dataclass
class MailServer(LineServer):
    """``answers["RCPT"]`` lists replies to RCPT commands, such as ``550 no such person``; ``mails`` has the mails."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    mails: list[Received] = field(default_factory=list)

    def serve(self, talk: Talk) -> None:
        user, sender, to = "", "", list[str]()
        said = ["220 mail.example ESMTP"]
        while True:
            talk.say("".join(f"{line}\r\n" for line in said).encode())
            if said == ["220 go ahead"] and self.tls:
                talk.encrypt(self.tls)
            line = talk.line().decode("utf-8", "replace").strip()
            verb = line.split(" ", 1)[0].upper()
            said = ["250 ok"]
            if not line:
                return
            if scripted := self.answers.get(verb):
                said = [scripted.pop(0)]
            elif verb == "EHLO":
                offered = ["250-STARTTLS"] if self.tls and not talk.is_encrypted else []
                said = ["250-mail.example", *offered, "250 AUTH PLAIN"]
            elif verb == "STARTTLS" and self.tls:
                said = ["220 go ahead"]
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                said = ["235 in" if password == "right" else "535 no"]
            elif verb == "MAIL":
                sender, to = line.split("<")[1].split(">")[0], []
            elif verb == "RCPT":
                to.append(line.split("<")[1].split(">")[0])
            elif verb == "DATA":
                talk.say(b"354 go on\r\n")
                body = b"".join(one.removeprefix(b".") for one in iter(lambda: talk.line() or b".\r\n", b".\r\n"))
                message = message_from_bytes(body, policy=policy.default)
                self.mails.append(Received(sender, to, message, user, talk.is_encrypted))
            elif verb not in {"RSET", "NOOP"}:
                said = ["221 bye" if verb == "QUIT" else "502 unknown"]
