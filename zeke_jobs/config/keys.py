"""The base of all mappings in jobs.yaml, and the declaration of their keys."""

from datetime import timedelta
from typing import Any, ClassVar, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from zeke_jobs.config.entries import EntryError
from zeke_jobs.core.quoting import describe
from zeke_jobs.core.wording import format_duration


class Shown:
    """Marks a key of a task whose value the commands ``tasks`` and ``why`` show."""


SHOWN = Shown()


def key(default: Any, meaning: str, example: str = "", **more: Any) -> Any:
    """Declare a key: its default, its meaning for people, and an example line."""
    if isinstance(default, timedelta):
        more["json_schema_extra"] = {"default": format_duration(default)}
    return Field(default, description=meaning, examples=[example] if example else None, **more)


def no_default(schema: dict[str, Any]) -> None:
    """Leave a key's default out of its JSON Schema, because it depends on other keys."""
    schema.pop("default", None)


def unit_keys(schema: dict[str, Any]) -> None:
    """Let a limit's JSON Schema accept units under their own names."""
    units = schema["properties"].pop("units")
    (one,) = units["patternProperties"].values()
    schema["additionalProperties"] = {**one, "description": units["description"]}


class Keys(BaseModel, extra="forbid", strict=True, frozen=True, allow_inf_nan=False):
    """One mapping of jobs.yaml. It refuses unknown keys and values of another type."""

    called: ClassVar[str]
    """The name of the mapping in messages."""
    required: ClassVar[tuple[str, ...]] = ()
    """Required keys. They still have a default, so that the rest of a file can be checked without them."""
    short_form: ClassVar[tuple[str, type, str] | None] = None
    """A bare value for the mapping: the key that it sets, its type, and its name in messages."""

    spread: ClassVar[str | None] = None
    """A field whose keys are in the mapping itself."""

    @classmethod
    def read(cls, value: Any) -> Self:
        """Validate a value from a file: a key without a value is a fault."""
        return cls.model_validate(value, context=cls)

    @model_validator(mode="before")
    @classmethod
    def _write_out(cls, value: Any) -> Any:
        if cls.short_form is None or isinstance(value, dict | BaseModel):
            return value
        name, kind, expected = cls.short_form
        if isinstance(value, kind) and not isinstance(value, bool):
            return {name: value}
        raise EntryError(f"expected {expected} or a mapping, got {describe(value)}", "")

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nothing(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.context is not None:
            raise EntryError("expected a value, got nothing", "")
        return value
