"""Writes requests and reads answers in the format of chat completions, Responses, or Anthropic's messages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from actors.ai.openai.settings import OpenAISettings

_FILTERED = {"safety", "recitation", "blocklist", "prohibited_content", "spii"}  # Gemini sends these codes in capitals
_CUT_OFF = {"length", "max_tokens", "model_context_window_exceeded"}

Turn = dict[str, str]  # the role (user or assistant) and the content, as all providers take them
Turns = Sequence[Turn]


#: The texts that may be the answer, likeliest first; how it ended (stop, length or refused); and why it was refused.
Said = tuple[tuple[str, ...], str, str]


class Chat:
    """Uses ``POST /chat/completions``, the interface of OpenAI, Azure, vLLM, Ollama, Mistral, DeepSeek and others.

    ``said`` raises KeyError, IndexError, TypeError, ValueError or AttributeError if the answer has another format.
    """

    path = "/chat/completions"

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def body(self, settings: OpenAISettings, system: str, turns: Turns, name: str, schema: Any) -> dict[str, Any]:
        wanted = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        return _given(
            {
                "model": settings.model,
                "messages": [{"role": "system", "content": system}, *turns],
                settings.output_limit: settings.output_tokens,
                "temperature": settings.temperature,
                "reasoning_effort": settings.reasoning_effort,
                "response_format": _form(settings, wanted),
            }
        )

    def said(self, answer: Mapping[str, Any]) -> Said:
        choice = answer["choices"][0]
        message, reason = dict(choice.get("message") or {}), str(choice.get("finish_reason") or "").lower()
        if message.get("refusal") or reason.startswith("content_filter") or reason in _FILTERED:
            return (), "refused", str(message.get("refusal") or "")
        thought = message.get("reasoning_content") or message.get("reasoning") or ""
        return (_text(message.get("content")), _text(thought)), "length" if reason in _CUT_OFF else "stop", ""


class Responses(Chat):
    """Uses ``POST /responses``, the newer interface of OpenAI."""

    path = "/responses"

    def body(self, settings: OpenAISettings, system: str, turns: Turns, name: str, schema: Any) -> dict[str, Any]:
        wanted = {"type": "json_schema", "name": name, "strict": True, "schema": schema}
        return _given(
            {
                "model": settings.model,
                "instructions": system,
                "input": turns,
                "max_output_tokens": settings.output_tokens,
                "store": False,
                "temperature": settings.temperature,
                "reasoning": _given({"effort": settings.reasoning_effort}),
                "text": _given({"format": _form(settings, wanted)}),
            }
        )

    def said(self, answer: Mapping[str, Any]) -> Said:
        parts = [part for item in answer["output"] if item.get("type") == "message" for part in item["content"]]
        reason = (answer.get("incomplete_details") or {}).get("reason")
        refusals = [str(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
        if refusals or reason == "content_filter":
            return (), "refused", "".join(refusals)
        text = "".join(part["text"] for part in parts if part.get("type") == "output_text")
        return (text,), "length" if reason == "max_output_tokens" else "stop", ""


class Anthropic(Chat):
    """Uses ``POST /messages``, the interface of Anthropic and compatible servers."""

    path = "/messages"

    def headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}

    def body(self, settings: OpenAISettings, system: str, turns: Turns, name: str, schema: Any) -> dict[str, Any]:
        wanted = {"type": "json_schema", "schema": schema} if settings.answer_format == "json_schema" else None
        return _given(
            {
                "model": settings.model,
                "system": system,
                "messages": turns,
                "max_tokens": settings.output_tokens,
                "temperature": settings.temperature,
                "output_config": _given({"format": wanted, "effort": settings.reasoning_effort}),
            }
        )

    def said(self, answer: Mapping[str, Any]) -> Said:
        reason = answer.get("stop_reason")
        if reason == "refusal":
            return (), "refused", ""
        texts = [str(part["text"]) for part in answer["content"] if part.get("type") == "text"]
        inputs = [json.dumps(part["input"]) for part in answer["content"] if part.get("type") == "tool_use"]
        return ("".join(texts), *inputs), "length" if reason in _CUT_OFF else "stop", ""


WIRES: dict[str, Chat] = {"chat": Chat(), "responses": Responses(), "anthropic": Anthropic()}


def tokens(usage: Any) -> tuple[Any, Any]:
    """Return the numbers of tokens in the question and the answer, under any of the names that providers use."""
    if not isinstance(usage, dict):
        return None, None
    asked = usage.get("prompt_tokens", usage.get("input_tokens"))
    said, total = usage.get("completion_tokens", usage.get("output_tokens", 0)), usage.get("total_tokens")
    if isinstance(asked, int) and isinstance(said, int) and isinstance(total, int):
        said = max(said, total - asked)  # Gemini counts paid reasoning only in the total
    return asked, said


def _given(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body without fields that are None or an empty mapping."""
    return {name: value for name, value in body.items() if value is not None and value != {}}


def _form(settings: OpenAISettings, of_schema: dict[str, Any]) -> dict[str, Any] | None:
    return {"json_schema": of_schema, "json_object": {"type": "json_object"}, "text": None}[settings.answer_format]


def _text(content: Any) -> str:
    """Return the content of a message as text. The content may come in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if part.get("type") in {"text", "output_text"})
    return str(content or "")
