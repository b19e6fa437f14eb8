"""Defines the settings of an AI provider, such as its address, its models and its prices."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator

from zeke_jobs import Duration, parse_duration

TEXT = 1_000  # the default maximum number of tokens in an answer
_THINKING = 8_000
OVERHEAD = 64  # maximum number of tokens that a provider adds around messages
_OURS = {"model", "messages", "input", "stream", "n", "max_tokens", "max_completion_tokens", "max_output_tokens"}


class Price(BaseModel, frozen=True, extra="forbid"):
    """Holds the price of a million tokens in US dollars."""

    input: float = Field(ge=0)
    output: float = Field(default=0.0, ge=0)


class OpenAISettings(BaseModel, frozen=True, extra="forbid"):
    """Defines the settings of the provider ``openai``."""

    kind: Literal["chat", "responses", "anthropic"] = "chat"  # chat completions, OpenAI's responses or messages
    base_url: str = "https://api.openai.com/v1"  # up to and including /v1; a query after it is kept
    api_key: SecretStr | None = None  # sent as a bearer token; write ${NAME} in jobs.yaml, never the key itself
    model: str = Field(min_length=1)  # for analyses, briefs and summaries
    verify: bool | str = True  # ask this model (true: model) if each statement follows; false: only the rules check
    same_event: bool | str = True  # ask this model (true: model) for a story's event; false: only embeddings find it
    embedding_model: str | None = None  # None keeps the local embeddings
    embedding_dimensions: int = Field(default=1536, ge=1, le=1536)  # length of its vectors; padded to 1536
    send_dimensions: bool = False  # ask the embedding model for that length
    answer_format: Literal["json_schema", "json_object", "text"] = "json_schema"  # as the server supports
    language: str | None = None  # of the answers; None for the story's own
    temperature: float | None = Field(default=None, ge=0, le=2)  # sent only if set
    reasoning_effort: str | None = Field(default=None, min_length=1)  # in the provider's words, such as low
    max_output_tokens: int | None = Field(default=None, ge=50, le=100_000)  # of one answer, with reasoning
    output_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"  # its name in a request
    extra_body: dict[str, Any] = Field(default_factory=dict)  # sent with each question; replaces usual parameters
    extra_headers: dict[str, SecretStr] = Field(default_factory=dict)  # of each call; write ${NAME} for keys
    query: dict[str, str] = Field(default_factory=dict)  # of each call's address, such as api-version
    max_input_chars: int = Field(default=24_000, ge=1_000)  # of a story; a longer one is cut after a line
    timeout: Duration = parse_duration("60s")  # of one call, to the last byte
    prices: dict[str, Price] = Field(default_factory=dict)  # by model; another model has an unknown price
    limit: str = "ai"  # the limit that lets no job start while the provider asks to wait
    cache: bool = True  # use the answer to an equal earlier question again

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"expected an address that begins with https:// or http://, got {value!r}")
        return value.rstrip("/")

    @field_validator("extra_body")
    @classmethod
    def _leaves_the_bounds(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in _OURS & value.keys():
            raise ValueError(
                f"expected no {name!r} in extra_body, which has a setting of its own or changes what a call costs"
            )
        return value

    @property
    def output_tokens(self) -> int:
        """Return the maximum number of tokens in one answer. The default is higher with reasoning, which counts too."""
        return self.max_output_tokens or (_THINKING if self.reasoning_effort else TEXT)

    def asking(self, model: bool | str, output_tokens: int) -> Self:  # noqa: FBT001 (the value of a setting)
        """Return the settings for a question to ``model`` (True: the usual model) with at most ``output_tokens``."""
        named = {"model": model} if isinstance(model, str) else {}
        return self.model_copy(update={**named, "max_output_tokens": output_tokens})

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Return the cost of a call in US dollars, or None if the model's price is unknown."""
        price = self.prices.get(model)
        return None if price is None else (input_tokens * price.input + output_tokens * price.output) / 1_000_000
