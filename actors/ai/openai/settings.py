"""How a provider is reached, asked and paid."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from zeke_jobs import Duration, parse_duration

_ANSWER = 1_000
_THINKING = 8_000
_OURS = {"model", "messages", "input", "stream", "n", "max_tokens", "max_completion_tokens", "max_output_tokens"}


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(default=0.0, ge=0)


class OpenAISettings(BaseModel):
    """Settings of the provider ``openai``.

    Attributes:
        kind: What the server speaks: ``chat`` (completions), ``responses`` (OpenAI's) or ``anthropic`` (messages).
        base_url: Of any compatible server, up to and including ``/v1``; a query behind it is kept.
        api_key: Sent as a bearer token; write ``${NAME}`` in jobs.yaml, never the key itself.
        model: For analysis, briefs and summaries.
        embedding_model: None keeps the local embeddings.
        embedding_dimensions: How many numbers the embedding model gives; fewer than 1536 are padded with zeros.
        send_dimensions: Whether to ask the embedding model for that many; not every server knows the word.
        answer_format: ``json_schema`` (strict), ``json_object`` or ``text``, as far as the server goes.
        language: What the answers are written in; None for the story's own language.
        temperature: Sent only when set here.
        reasoning_effort: How hard a model that thinks is to think, in its own words, as ``low``.
        max_output_tokens: The most that one answer may have, thinking included; 1,000, or 8,000 where it thinks.
        output_limit: The name under which the server is told so; older ones know only ``max_tokens``.
        extra_body: Sent with each question, over what is sent anyway.
        extra_headers: Sent with each call; write ``${NAME}`` for keys.
        query: Parameters of each call's address, as ``api-version``.
        max_input_chars: Longer stories are cut after a paragraph.
        timeout: For one call, from the connection to the last byte.
        prices: By model; a model that is not listed has an unknown price.
        limit: Name of the limit that closes for all when the provider asks to wait.
        cache: Whether an equal question is answered from memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["chat", "responses", "anthropic"] = "chat"
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    model: str = Field(min_length=1)
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
            raise ValueError(f"expected an address that begins with https://, got {value!r}")
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
        """The most that one answer may have: a model that thinks would starve on what an answer needs."""
        return self.max_output_tokens or (_THINKING if self.reasoning_effort else _ANSWER)

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """What a call costs in US dollars; None when the model's price is unknown."""
        price = self.prices.get(model)
        if price is None:
            return None
        return (input_tokens * price.input + output_tokens * price.output) / 1_000_000
