"""The jobs.yaml files of the configuration tests name these valid and invalid services."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    kind: str = "local"
    base_url: str | None = None
    retries: int = Field(default=3, ge=0)
    token: SecretStr | None = None

    @model_validator(mode="after")
    def _remote_has_an_address(self) -> Self:
        if self.kind == "remote" and not self.base_url:
            raise ValueError("expected a base_url where kind is remote, got none")
        return self

    def open(self) -> object:
        return object()


class Two(BaseModel):
    address: str
    port: int

    def open(self) -> object:
        return object()


class Closed(BaseModel): ...


class Plain: ...
