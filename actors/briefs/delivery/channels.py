"""Delivers one message to one receiver: by mail, into a folder, to a webhook, to an ntfy topic, or to a command."""

import base64
import binascii
import hashlib
import hmac
import json
import smtplib
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

from actors.briefs import rendering
from actors.briefs.delivery.settings import Address, Mail, Ntfy, Ways, Webhook
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetcher, Limits, refused
from actors.engine.text import one_line
from zeke_jobs import Reject, Retry

_LARGEST_ANSWER = 100_000
_NTFY_TEXT = 3800  # maximum bytes of a text; ntfy makes a file of more than 4096, and refuses JSON of more than 8192
_NTFY_TITLE = 250  # maximum number of characters in a title
_COMMAND = 30.0  # seconds that the command may run


@dataclass(frozen=True)
class Message:
    """Holds one message with a digest, or with the stories of alerts.

    Attributes:
        name: A name such as ``day-2026-11-26``. Name and ``whose`` (such as a team's id) identify it in all attempts.
        digest: The contents in the form that ``rendering`` reads. ``told`` has the same contents as data for JSON.
    """

    name: str
    whose: str
    digest: Mapping[str, Any]
    told: Mapping[str, Any]

    def identity(self, receiver: str) -> str:
        """Return an id that is the same for every attempt, so that a receiver can recognise a second copy."""
        return f"{self.name}-{hashlib.sha256(f'{self.whose} {receiver}'.encode()).hexdigest()[:16]}"


def channels(ways: Ways) -> Iterator[tuple[str, Callable[[Message], None]]]:
    """Yield each receiver's permanent name and its delivery function. The function may raise Retry or Reject."""
    if ways.folder is not None:
        yield f"folder:{ways.folder}", partial(_to_folder, ways.folder)
    if ways.mail is not None:
        for address in dict.fromkeys(ways.mail.to):
            yield f"mail:{address}", partial(_by_mail, ways.mail, address)
    if ways.webhook is not None:
        yield f"webhook:{ways.webhook.url}", partial(_to_webhook, ways.webhook)
    if ways.ntfy is not None:
        yield f"ntfy:{ways.ntfy.url}", partial(_to_ntfy, ways.ntfy)
    if ways.command is not None:
        yield f"command:{' '.join(ways.command)}", partial(_to_command, ways.command)


def _to_folder(folder: Path, message: Message) -> None:
    """Write the message to a Markdown file such as ``day-2026-11-26.md``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rendering.write_whole(folder / f"{message.name}.md", rendering.markdown(message.digest))
    except OSError as error:
        raise Retry(None, f"{folder} cannot be written to: {error}") from error


def _by_mail(mail: Mail, to: str, message: Message) -> None:
    made = EmailMessage()
    made["From"] = mail.sender
    made["To"] = to
    made["Subject"] = rendering.title(message.digest)
    made["Date"] = formatdate(localtime=False, usegmt=True)
    made["Message-ID"] = f"<{message.identity(f'mail:{to}')}@{mail.sender.partition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(rendering.text(message.digest))
    made.add_alternative(rendering.html(message.digest), subtype="html")
    try:
        with _mail_server(mail) as server:
            server.send_message(made, mail.sender, [to])
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(f"{to}:", *error.recipients[to]) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(f"{mail.host} answers", error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError, UnicodeError) as error:
        raise Reject(f"{mail.host}: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        reason = str(error) or type(error).__name__
        raise Retry(None, f"{mail.host} cannot be reached: {reason}") from error


def _refusal(who: str, code: int, answer: bytes | str) -> Retry | Reject:
    reason = f"{who} {code} {_words(answer)}"
    return Retry(None, reason) if code < 500 else Reject(reason)


def _mail_server(mail: Mail) -> smtplib.SMTP:
    seconds, tls = mail.timeout.total_seconds(), ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=seconds, context=tls)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=seconds)
    try:
        if mail.security == "starttls":
            server.starttls(context=tls)
        if mail.user:
            server.login(mail.user, mail.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _to_webhook(webhook: Webhook, message: Message) -> None:
    body, moment = json.dumps(message.told).encode(), str(int(time.time()))
    name = message.identity(f"webhook:{webhook.url}")
    signed = signature(webhook.secret.get_secret_value(), name, moment, body)
    headers = {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": signed}
    _post(webhook, webhook.url, body, headers)


def _to_ntfy(ntfy: Ntfy, message: Message) -> None:
    """Send a message to an ntfy topic: a single story with its link, or one line for each of several stories."""
    server, _, topic = ntfy.url.rpartition("/")
    entries = message.digest["entries"]
    only = entries[0] if len(entries) == 1 else None
    lines = [rendering.line(entry) for entry in entries] if only is None else rendering.said(only)
    text = "\n".join(lines).encode()
    cut = text if len(text) <= _NTFY_TEXT else text[:_NTFY_TEXT] + "…".encode()
    told = {
        "topic": topic,
        "title": rendering.title(message.digest)[:_NTFY_TITLE],
        "message": cut.decode("utf-8", "ignore"),
        "priority": min(5, max(3, round(max(entry["chili"] for entry in entries)))),
        **({"click": url} if only and (url := rendering.address(only)) else {}),
    }
    token = ntfy.token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    _post(ntfy, f"{server}/", json.dumps(told, ensure_ascii=False).encode(), headers)


def _post(receiver: Address, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    limits = Limits(0, _LARGEST_ANSWER, receiver.timeout.total_seconds())
    try:
        headers = {"Content-Type": "application/json", **headers}
        answer = Fetcher("zeke-news", tuple(receiver.allow_networks)).ask(url, body, limits, headers)
        if not 200 <= answer.status < 300:
            error = refused(answer)
            # A proxy may answer for an unreachable receiver with any error status. Only 410 and a redirect are final.
            error.transient |= answer.status >= 400 and answer.status != 410
            raise error
    except EngineError as error:
        reason = str(error).replace("services.engine.allow_networks", "allow_networks of the receiver")
        raise (Retry(error.retry_after, reason) if error.transient else Reject(reason)) from error


def _to_command(command: Sequence[str], message: Message) -> None:
    """Run a command with the message's text as input. An exit status other than 0 is a temporary failure."""
    given = rendering.text(message.digest).encode()
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(command, input=given, stdout=said, stderr=said, timeout=_COMMAND, check=False)  # noqa: S603 (a command of the operator)
        except subprocess.TimeoutExpired as error:
            raise Retry(None, f"{command[0]} took longer than {_COMMAND:g} s") from error
        except OSError as error:
            raise Reject(f"{command[0]} cannot be run: {error}") from error
        if done.returncode:
            said.seek(max(0, said.seek(0, 2) - 300))
            raise Retry(None, f"{command[0]} ended with status {done.returncode}: {_words(said.read())}")


def signature(secret: str, name: str, moment: str, body: bytes) -> str:
    """Return the header ``webhook-signature`` (standardwebhooks.com): HMAC-SHA256 over id, time and body."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise Reject("expected a secret in base64 behind whsec_, got another") from error
    made = hmac.new(key, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()


def _words(answer: bytes | str) -> str:
    return one_line(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer, 300)
