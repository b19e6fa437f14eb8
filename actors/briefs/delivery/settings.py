"""Defines the settings of deliver-digest and deliver-alert, which say where digests and alerts go."""

from datetime import datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from zeke_jobs import Duration, parse_duration

MailAddress = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)
]


class Mail(BaseModel, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True):
    """Delivers by mail, with one message for each address of ``to``.

    Attributes:
        host: The SMTP server; ``port`` is its port.
        security: ``starttls`` (port 587), ``tls`` from the first byte (port 465), or ``none`` in a private network.
        user: The user name; ``password`` is the password. If the user name is empty, there is no login.
        sender: The sender's address; its key in jobs.yaml is ``from``.
        timeout: The maximum time for one answer of the server.
    """

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: MailAddress = Field(alias="from")
    to: list[MailAddress] = Field(min_length=1)
    timeout: Duration = parse_duration("30s")


class Address(BaseModel, extra="forbid", frozen=True):
    """Describes a receiver of HTTP POST requests.

    Attributes:
        url: The receiver's address. Its host must be on a public network or in ``allow_networks``.
        allow_networks: Networks that are allowed although they are not public.
        timeout: The maximum time from the first connection to the end of the answer.
    """

    url: str
    allow_networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    timeout: Duration = parse_duration("20s")


class Webhook(Address, extra="forbid", frozen=True):
    """Delivers by an HTTP POST of JSON, signed according to Standard Webhooks.

    Attributes:
        secret: The key for the signature. If it begins with ``whsec_``, the rest is in base64.
    """

    secret: SecretStr


class Ntfy(Address, extra="forbid", frozen=True):
    """Delivers to an ntfy topic, such as ``https://ntfy.sh/my-news``. A protected topic needs an access ``token``."""

    url: Annotated[str, Field(pattern=r"^https?://[^/?#]+/(?:[^?#]*/)?[A-Za-z0-9_-]+$")]
    token: SecretStr = SecretStr("")


class Ways(BaseModel, extra="forbid", frozen=True):
    """Defines the channels by which messages reach receivers.

    Attributes:
        mail: Mail addresses, and the server that sends the mail.
        folder: A folder for Markdown files, one for each message.
        webhook: An address that gets each message as a signed POST.
        ntfy: An ntfy topic that gets each message.
        command: A program and its arguments. The program gets the message as text on standard input.
    """

    mail: Mail | None = None
    folder: Path | None = None
    webhook: Webhook | None = None
    ntfy: Ntfy | None = None
    command: list[str] | None = Field(default=None, min_length=1)


class DeliverySettings(Ways, extra="forbid", frozen=True):
    """Defines the settings of deliver-digest. Without a receiver, the digest is only stored (see ``zeke-news digest``).

    Attributes:
        digest_entries: The maximum number of events in a digest.
    """

    digest_entries: int = Field(default=10, ge=1, le=100)


class Quiet(NamedTuple):
    """Describes the quiet hours, in which no message is sent, such as ``22:00-07:00 Europe/Berlin``."""

    start: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """Return the end of the quiet hours, or None if ``now`` is outside the quiet hours."""
        local = now.astimezone(self.zone)
        clock, is_over_night = local.time(), self.start > self.end
        is_late, is_early = clock >= self.start, clock < self.end
        if not (is_late or is_early if is_over_night else is_late and is_early):
            return None
        day = local.date() + timedelta(days=is_over_night and is_late)
        # In the night when clocks are set back, the end of the quiet hours may occur twice.
        ends = (datetime.combine(day, self.end, self.zone).replace(fold=fold) for fold in (0, 1))
        return next((end for end in ends if end.timestamp() > now.timestamp()), None)


def _quiet(value: Any) -> Any:
    try:
        hours, zone = value.split()
        start, end = (time.fromisoformat(hour) for hour in hours.split("-"))
        if start == end or start.tzinfo or end.tzinfo:
            raise ValueError(hours)  # noqa: TRY301 (the message is made below)
        return Quiet(start, end, ZoneInfo(zone))
    except (AttributeError, ValueError, OSError, LookupError) as error:
        raise ValueError(
            f"expected hours and their time zone such as 22:00-07:00 Europe/Berlin, got {value!r}"
        ) from error


class Receiver(Ways, extra="forbid", frozen=True):
    """Describes one receiver of alerts, and the channel by which the receiver gets messages.

    Attributes:
        quiet: Hours in which the receiver gets nothing; afterwards it gets all stories found meanwhile, in one message.
        hourly: The maximum number of messages in an hour; further stories come later in one message.
    """

    quiet: Annotated[Quiet | None, BeforeValidator(_quiet)] = None
    hourly: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in Ways.model_fields if getattr(self, name) is not None]
        if len(given) != 1 or (self.mail is not None and len(self.mail.to) != 1):
            expected = f"one of {', '.join(Ways.model_fields)}, and one address"
            raise ValueError(f"expected {expected}, got {', '.join(given) or 'none'}: give each a receiver of its own")
        return self


class AlertSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of deliver-alert: ``receivers``, by the names that ``zeke-news alert add --to`` takes."""

    receivers: dict[Annotated[str, StringConstraints(min_length=1, max_length=100)], Receiver] = Field(
        default_factory=dict
    )
