"""Defines a duration type, and the base class of payload models, which store snake_case and also accept camelCase."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from zeke_jobs.core import redaction
from zeke_jobs.core.wording import PATTERN, format_duration, parse_duration


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {value!r}")


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^(?=.){PATTERN}$", "examples": ["30s", "5m", "1h30m"]}),
]
"""The type of a duration field in a pydantic model; its Python value is a ``timedelta``."""


class Payload(BaseModel):
    """Is the base class of payload models. Payloads are stored in snake_case, and camelCase is accepted as input.

    A worker ignores fields that it does not know, so that old and new code can run at the same time. ``send`` refuses
    such fields. While the job runs, the repr and the text of a payload show sensitive fields as ``***``.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Return the fields for a repr, with sensitive values masked."""
        for name, value in super().__repr_args__():
            yield name, value if name is None else redaction.shown(name, value)


class FailedJob(Payload):
    """Is the payload of the jobs that ``on_failed`` sends.

    Attributes:
        job_id: The job that has failed for good.
        error: The error of the failed job's last attempt: ``type``, ``message``, and usually ``traceback``.
        payload: The failed job's payload, or None if payload and error together are too large.
    """

    job_id: UUID
    task: str
    error: dict[str, Any] = {}
    payload: dict[str, Any] | None = None
