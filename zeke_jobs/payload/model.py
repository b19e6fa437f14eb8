"""The base of payload models: snake_case in Python and in the database, camelCase accepted at the door."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Payload(BaseModel):
    """Base of payload models. Stored in snake_case; camelCase is accepted at the door.

    A worker ignores fields that it does not know, so that old and new code can overlap; ``send`` refuses them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )
