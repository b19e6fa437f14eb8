"""Where digests go: settings of deliver-digest."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from zeke_jobs import Duration, parse_duration

MailAddress = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)
]


class Mail(BaseModel, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True):
    """Digests by mail, one message for each address of ``to``.

    Attributes:
        host: The server that takes mail for delivery; ``port`` its port.
        security: ``starttls`` (port 587), ``tls`` from the first byte (port 465), or ``none`` on a network of your own.
        user: Name to log in with; without it, nobody logs in. ``password`` belongs to it.
        sender: The address that it comes from, ``from`` in jobs.yaml.
        timeout: The longest that the server may take for one answer.
    """

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: MailAddress = Field(alias="from")
    to: list[MailAddress] = Field(min_length=1)
    timeout: Duration = parse_duration("30s")


class Webhook(BaseModel, extra="forbid", frozen=True):
    """Digests by POST, as JSON, signed as Standard Webhooks has it.

    Attributes:
        url: Where to post to; under the checks of addresses that fetching has.
        secret: What signatures are made with; one that begins with ``whsec_`` is read as base64.
        allow_networks: Networks that may be posted to although they are not public.
        timeout: From the first connection to the end of the answer.
    """

    url: str
    secret: SecretStr
    allow_networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    timeout: Duration = parse_duration("20s")


class DeliverySettings(BaseModel, extra="forbid", frozen=True):
    """Settings of deliver-digest. Without a receiver the digest is written, and ``zeke-news digest`` shows it.

    Attributes:
        digest_entries: How many events a digest names at most.
        mail: Sends it by mail.
        folder: Writes it there as Markdown, one file for each period.
        webhook: Posts it.
    """

    digest_entries: int = Field(default=10, ge=1, le=100)
    mail: Mail | None = None
    folder: Path | None = None
    webhook: Webhook | None = None
