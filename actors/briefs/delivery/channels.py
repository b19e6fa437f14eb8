"""One digest to one receiver: by mail, into a folder, to a webhook."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.briefs import rendering
from actors.briefs.whole_file import write_whole
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetcher, Limits, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from actors.briefs.delivery.settings import DeliverySettings, Mail, Webhook
    from actors.store.digests import Edition

    Digest = Mapping[str, Any]

_AGENT = "zeke-news"
_LARGEST_ANSWER = 100_000


class NotDelivered(Exception):
    """A digest did not reach a receiver.

    Args:
        message: The reason, for a person.
        transient: Whether another try may help.
        retry_after: Seconds that the receiver asked us to wait; None if it did not.
    """

    def __init__(self, message: str, *, transient: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after


def channels(settings: DeliverySettings) -> Iterator[tuple[str, Callable[[Edition, Digest], None]]]:
    """The name of each receiver, the same from one run to the next, and how to deliver to it; that raises ``NotDelivered``."""
    if settings.folder is not None:
        yield f"folder:{settings.folder}", partial(_to_folder, settings.folder)
    if settings.mail is not None:
        for address in dict.fromkeys(settings.mail.to):
            yield f"mail:{address}", partial(_by_mail, settings.mail, address)
    if settings.webhook is not None:
        yield f"webhook:{settings.webhook.url}", partial(_to_webhook, settings.webhook)


def _identity(edition: Edition, receiver: str) -> str:
    """An id that is the same for every attempt, so that a receiver can recognise a second copy."""
    team = "all" if edition.team_id is None else str(edition.team_id)
    return f"{edition.name}-{hashlib.sha256(f'{team} {receiver}'.encode()).hexdigest()[:16]}"


def _to_folder(folder: Path, edition: Edition, digest: Digest) -> None:
    """A Markdown file for each period, such as ``day-2026-11-26.md``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{edition.name}.md", rendering.markdown(digest))
    except OSError as error:
        raise NotDelivered(f"{folder} cannot be written to: {error}", transient=True) from error


def _by_mail(mail: Mail, to: str, edition: Edition, digest: Digest) -> None:
    """A mail to one address: plain text, and the same as HTML."""
    made = EmailMessage()
    made["From"] = mail.sender
    made["To"] = to
    made["Subject"] = rendering.title(digest)
    made["Date"] = formatdate(localtime=False, usegmt=True)
    made["Message-ID"] = f"<{_identity(edition, f'mail:{to}')}@{mail.sender.partition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(rendering.text(digest))
    made.add_alternative(rendering.html(digest), subtype="html")
    try:
        with _mail_server(mail) as server:
            server.send_message(made, mail.sender, [to])
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = error.recipients[to]
        raise NotDelivered(f"{to}: {code} {_words(answer)}", transient=code < 500) from error
    except smtplib.SMTPResponseException as error:
        reason = f"{mail.host} answers {error.smtp_code} {_words(error.smtp_error)}"
        raise NotDelivered(reason, transient=error.smtp_code < 500) from error
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError, UnicodeError) as error:
        raise NotDelivered(f"{mail.host}: {error}", transient=False) from error
    except (smtplib.SMTPException, OSError) as error:
        reason = str(error) or type(error).__name__
        raise NotDelivered(f"{mail.host} cannot be reached: {reason}", transient=True) from error


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


def _to_webhook(webhook: Webhook, edition: Edition, digest: Digest) -> None:
    """A POST of the digest as JSON, signed by the rules of Standard Webhooks."""
    told = {
        "type": "digest",
        "period": edition.period,
        "endsOn": edition.ends_on.isoformat(),
        "teamId": None if edition.team_id is None else str(edition.team_id),
        "title": rendering.title(digest),
        "markdown": rendering.markdown(digest),
        "entries": digest["entries"],
    }
    body = json.dumps(told).encode()
    name, moment = _identity(edition, f"webhook:{webhook.url}"), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": signature(webhook.secret.get_secret_value(), name, moment, body),
    }
    limits = Limits(0, _LARGEST_ANSWER, webhook.timeout.total_seconds())
    try:
        answer = Fetcher(_AGENT, tuple(webhook.allow_networks)).post(webhook.url, body, limits, headers)
        if not 200 <= answer.status < 300:
            raise refused(answer)
    except EngineError as error:
        reason = str(error).replace("services.engine.allow_networks", "webhook.allow_networks of deliver-digest")
        raise NotDelivered(reason, transient=error.transient, retry_after=error.retry_after) from error


def signature(secret: str, name: str, moment: str, body: bytes) -> str:
    """The header ``webhook-signature`` (standardwebhooks.com): HMAC-SHA256 over id, time and body."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise NotDelivered("expected a secret in base64 behind whsec_, got another", transient=False) from error
    made = hmac.new(key, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()


def _words(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:300]
