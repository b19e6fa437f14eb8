"""One digest to one receiver: by mail, into a folder, to a webhook."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import smtplib
import ssl
import tempfile
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from actors.briefs import rendering
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetcher, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.briefs.delivery.settings import DeliverySettings, Mail, Webhook
    from actors.store.deliveries import Edition

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


class Channel(Protocol):
    """A way to one receiver. ``receiver`` is its name."""

    @property
    def receiver(self) -> str:
        """Stays the same from one run to the next."""

    def deliver(self, edition: Edition, digest: Mapping[str, Any]) -> None:
        """Hand the digest over.

        Raises:
            NotDelivered: with the reason.
        """


def channels(settings: DeliverySettings) -> Iterator[Channel]:
    """A way for each receiver that the settings name."""
    if settings.folder is not None:
        yield ToFolder(settings.folder)
    for address in dict.fromkeys(settings.mail.to if settings.mail else ()):
        assert settings.mail is not None
        yield ByMail(settings.mail, address)
    if settings.webhook is not None:
        yield ToWebhook(settings.webhook)


def identity(edition: Edition, receiver: str) -> str:
    """An id that is the same for every attempt, so that a receiver can recognise a second copy."""
    team = "all" if edition.team_id is None else str(edition.team_id)
    return f"{edition.name}-{hashlib.sha256(f'{team} {receiver}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class ByMail:
    """A mail to one address."""

    settings: Mail
    to: str

    @property
    def receiver(self) -> str:
        """See ``Channel``."""
        return f"mail:{self.to}"

    def deliver(self, edition: Edition, digest: Mapping[str, Any]) -> None:
        """See ``Channel``."""
        message = self.message(edition, digest)
        try:
            with self._server() as server:
                server.send_message(message, self.settings.sender, [self.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = error.recipients[self.to]
            raise NotDelivered(f"{self.to}: {code} {_words(answer)}", transient=code < 500) from error
        except smtplib.SMTPResponseException as error:
            reason = f"{self.settings.host} answers {error.smtp_code} {_words(error.smtp_error)}"
            raise NotDelivered(reason, transient=error.smtp_code < 500) from error
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError, UnicodeError) as error:
            raise NotDelivered(f"{self.settings.host}: {error}", transient=False) from error
        except (smtplib.SMTPException, OSError) as error:
            reason = str(error) or type(error).__name__
            raise NotDelivered(f"{self.settings.host} cannot be reached: {reason}", transient=True) from error

    def message(self, edition: Edition, digest: Mapping[str, Any]) -> EmailMessage:
        """The digest as a mail: plain text, and the same as HTML."""
        made = EmailMessage()
        made["From"] = self.settings.sender
        made["To"] = self.to
        made["Subject"] = rendering.title(digest)
        made["Date"] = formatdate(localtime=False, usegmt=True)
        made["Message-ID"] = f"<{identity(edition, self.receiver)}@{self.settings.sender.partition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(rendering.text(digest))
        made.add_alternative(rendering.html(digest), subtype="html")
        return made

    def _server(self) -> smtplib.SMTP:
        settings = self.settings
        seconds = settings.timeout.total_seconds()
        if settings.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=seconds, context=context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=seconds)
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


@dataclass(frozen=True)
class ToFolder:
    """A Markdown file for each period, such as ``day-2026-11-26.md``; written whole or not at all."""

    folder: Path

    @property
    def receiver(self) -> str:
        """See ``Channel``."""
        return f"folder:{self.folder}"

    def deliver(self, edition: Edition, digest: Mapping[str, Any]) -> None:
        """See ``Channel``."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                    file.write(rendering.markdown(digest))
                Path(name).chmod(0o644)
                Path(name).replace(self.folder / f"{edition.name}.md")
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise NotDelivered(f"{self.folder} cannot be written to: {error}", transient=True) from error


@dataclass(frozen=True)
class ToWebhook:
    """A POST of the digest as JSON, signed by the rules of Standard Webhooks."""

    settings: Webhook

    @property
    def receiver(self) -> str:
        """See ``Channel``."""
        return f"webhook:{self.settings.url}"

    def deliver(self, edition: Edition, digest: Mapping[str, Any]) -> None:
        """See ``Channel``."""
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
        name, moment = identity(edition, self.receiver), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": moment,
            "webhook-signature": signature(self.settings.secret.get_secret_value(), name, moment, body),
        }
        seconds = self.settings.timeout.total_seconds()
        limits = Limits(body_bytes=_LARGEST_ANSWER, raw_bytes=_LARGEST_ANSWER * 2, seconds=seconds)
        try:
            Fetcher(_AGENT, tuple(self.settings.allow_networks)).post(self.settings.url, body, limits, headers)
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
