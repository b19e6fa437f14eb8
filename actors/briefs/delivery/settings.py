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
        host: The server that accepts mail; ``port`` is its port.
        security: ``starttls`` (port 587), ``tls`` from the first byte (port 465), or ``none`` on a network of your own.
        user: Name for the login, with ``password``; without it there is no login.
        sender: The sender's address, ``from`` in jobs.yaml.
        timeout: Longest time for one answer of the server.
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
        url: The receiver; its address passes the same checks as addresses for fetching.
        secret: The key of the signatures; after ``whsec_`` it is base64.
        allow_networks: Networks that are allowed although they are not public.
        timeout: Longest time from the first connection to the end of the answer.
    """

    url: str
    secret: SecretStr
    allow_networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    timeout: Duration = parse_duration("20s")


class DeliverySettings(BaseModel, extra="forbid", frozen=True):
    """Settings of deliver-digest. Without a receiver the digest is written, and ``zeke-news digest`` shows it.

    Attributes:
        digest_entries: Most events in a digest.
        mail: Delivery by mail.
        folder: A folder for Markdown files, one for each period.
        webhook: Delivery by POST.
    """

    digest_entries: int = Field(default=10, ge=1, le=100)
    mail: Mail | None = None
    folder: Path | None = None
    webhook: Webhook | None = None
