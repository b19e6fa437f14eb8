"""Defines the settings of a provider: address, model, answers and prices."""

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
    """Defines the settings of the provider ``openai``.

    Attributes:
        kind: The server's interface: ``chat`` (completions), ``responses`` (OpenAI's) or ``anthropic`` (messages).
        base_url: The address of a compatible server, up to and including ``/v1``; a query after it is kept.
        api_key: The key, which is sent as a bearer token; write ``${NAME}`` in jobs.yaml, never the key itself.
        model: The model for analyses, briefs and summaries.
        verify: Whether a second call asks if each statement follows from the story: true asks ``model``, a name asks that
            model, false uses only the rules for numbers, dates, names and quotations.
        embedding_model: The embedding model; None keeps the local embeddings.
        embedding_dimensions: The length of the embedding model's vectors; shorter ones are padded to 1536 with zeros.
        send_dimensions: Whether to ask the embedding model for that length; not every server knows the parameter.
        answer_format: ``json_schema`` (strict), ``json_object`` or ``text``, whichever the server supports.
        language: The language of the answers; None for the story's own.
        temperature: The temperature of the model; it is sent only if it is set here.
        reasoning_effort: The effort of a reasoning model, in the provider's words, such as ``low``.
        max_output_tokens: The maximum number of tokens in one answer, reasoning included; by default 1,000, or 8,000 if
            ``reasoning_effort`` is set.
        output_limit: The parameter's name for that number; older servers know only ``max_tokens``.
        extra_body: Parameters for each question; they replace the usual ones of the same name.
        extra_headers: Headers of each call; write ``${NAME}`` for keys.
        query: Parameters of each call's address, such as ``api-version``.
        max_input_chars: The maximum number of characters of a story; longer stories are cut after a line.
        timeout: The longest time for one call, from the connection to the last byte.
        prices: Prices by model; a model that is not listed has an unknown price.
        limit: The name of the limit that closes for all when the provider asks to wait.
        cache: Whether the answer to an equal earlier question is used again.
    """

    kind: Literal["chat", "responses", "anthropic"] = "chat"
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    model: str = Field(min_length=1)
    verify: bool | str = True
    embedding_model: str | None = None
    embedding_dimensions: int = Field(default=1536, ge=1, le=1536)
    send_dimensions: bool = False
    answer_format: Literal["json_schema", "json_object", "text"] = "json_schema"
    language: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    reasoning_effort: str | None = Field(default=None, min_length=1)
    max_output_tokens: int | None = Field(default=None, ge=50, le=100_000)
    output_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    extra_body: dict[str, Any] = Field(default_factory=dict)
    extra_headers: dict[str, SecretStr] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    max_input_chars: int = Field(default=24_000, ge=1_000)
    timeout: Duration = parse_duration("60s")
    prices: dict[str, Price] = Field(default_factory=dict)
    limit: str = "ai"
    cache: bool = True

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
        """Return the maximum number of tokens in one answer. A reasoning model gets more, because its reasoning counts too."""
        return self.max_output_tokens or (_THINKING if self.reasoning_effort else TEXT)

    def longer(self, output_tokens: int) -> Self:
        """Return these settings for an answer of at most this number of tokens."""
        return self.model_copy(update={"max_output_tokens": output_tokens})

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Return the cost of a call in US dollars, or None if the model's price is unknown."""
        price = self.prices.get(model)
        if price is None:
            return None
        return (input_tokens * price.input + output_tokens * price.output) / 1_000_000
