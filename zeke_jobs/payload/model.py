"""The base of payload models: snake_case in Python and in the database, camelCase accepted at the door."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from zeke_jobs.core import redaction


class Payload(BaseModel):
    """Base of payload models. Stored in snake_case; camelCase is accepted at the door.

    A worker ignores fields that it does not know, so that old and new code can overlap; ``send`` refuses them.
    While its job runs, its repr and its text show sensitive fields as ``***``.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """The fields as logs and errors show them."""
        for name, value in super().__repr_args__():
            yield name, value if name is None else redaction.shown(name, value)


class FailedJob(Payload):
    """The payload of the jobs that ``on_failed`` sends.

    Attributes:
        job_id: The job that has failed for good.
        error: Of its last attempt: ``type``, ``message``, and mostly ``traceback``.
        payload: Its payload; None where that leaves no room for the error.
    """

    job_id: UUID
    task: str
    error: dict[str, Any] = {}
    payload: dict[str, Any] | None = None
