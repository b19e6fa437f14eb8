"""The jobs.yaml files of the configuration tests name these valid and invalid handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from dramatiq import Middleware
from pydantic import BaseModel, Field, field_serializer, field_validator

from zeke_jobs import ChunkContext, Context, FailedJob, Payload
from zeke_jobs.core.context import Context as Ctx

if TYPE_CHECKING:
    from nothing_of_this_name import Ghost  # type: ignore[import-not-found]  # noqa: TC004 (it is missing at run time)


class Greet(Payload):
    user_name: str
    tone: Literal["warm", "cool"] = "warm"


class Nothing(Payload): ...


class Point(BaseModel):
    x: int
    y: int


class Settings(BaseModel):
    words: list[str] = []
    weights: dict[str, float] = {}
    count: int = Field(default=1, ge=1, le=10, description="How many there are.")
    place: int | Point = 0
    token: str = ""
    mode: Literal["fast", "safe"] = "safe"
    nested: Point | None = None

    @field_validator("token")
    @classmethod
    def _has_a_prefix(cls, token: str) -> str:
        if token and not token.startswith("t-"):
            raise ValueError(f"expected a token that starts with t-, got {token.upper()}")
        return token


class Required(BaseModel):
    address: str = Field(description="Where it is.")


class Call(Payload):
    back: Callable[[int], int]


class Calls(Payload):
    calls: dict[str, list[Call]]


class Thing: ...


class Arbitrary(Payload, arbitrary_types_allowed=True):
    thing: Thing


class Nan(Payload):
    share: float = float("nan")


class Unwritable(Payload):
    name: str = ""

    @field_serializer("name")
    def _write(self, value: str) -> str:
        raise LookupError(value)


class Untyped(BaseModel):
    when: Ghost | None = None

    def open(self) -> None: ...


class Raises(Middleware):  # type: ignore[misc] # dramatiq has no types
    def __init__(self) -> None:
        raise RuntimeError("port is taken")


def greet(payload: Greet, ctx: Context) -> None: ...
def told(payload: FailedJob, ctx: Context) -> None: ...
def welcome(payload: Greet, ctx: Context) -> None: ...
def tick(payload: Nothing, ctx: Ctx[None]) -> None: ...
def tuned(payload: Nothing, ctx: Context[Settings]) -> None: ...
def demanding(payload: Nothing, ctx: Context[Required]) -> None: ...
async def later(payload: Nothing, ctx: Context[Settings]) -> None: ...
def optional(payload: Nothing, ctx: Context, *, clock: Any = None) -> None: ...
def no_context(payload: Nothing) -> None: ...
def too_many(payload: Nothing, ctx: Context, clock: Any) -> None: ...
def not_annotated(payload, ctx): ...  # type: ignore[no-untyped-def]
def wrong_payload(payload: dict[str, Any], ctx: Context) -> None: ...
def wrong_context(payload: Nothing, ctx: Settings) -> None: ...
def wrong_settings(payload: Nothing, ctx: Context[int]) -> None: ...
def haunted(payload: Ghost, ctx: Context) -> None: ...
def late(payload: Untyped, ctx: Context) -> None: ...
def calls(payload: Calls, ctx: Context) -> None: ...
def arbitrary(payload: Arbitrary, ctx: Context) -> None: ...
def nan(payload: Nan, ctx: Context) -> None: ...
def unwritable(payload: Unwritable, ctx: Context) -> None: ...
def untyped(payload: Nothing, ctx: Context[Untyped]) -> None: ...


def yielding(payload: Nothing, ctx: Context) -> Iterator[None]:
    yield


number = 5


def greet_all(payloads: list[Greet], ctx: ChunkContext) -> list[str]:
    return [f"hello {one.user_name}" for one in payloads]
