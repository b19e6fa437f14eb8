"""These servers on loopback answer as Ollama, llama.cpp, Gemini and Anthropic are documented to answer.

The behaviour follows the servers' documentation, and Ollama's source. A model answers in prose if the server enforces
no schema.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.actors.ai.conftest import GOOD, ModelServer
from tests.actors.ai.provider import checks_of

Answer = tuple[int, dict[str, str], Any]

TEXTS = {**GOOD["analyze"], **GOOD["brief"], **GOOD["summarize"], "quotes": ["A stolen token is not enough."]}
STORY = "Packages are signed now. A stolen token is not enough. A stolen token alone no longer publishes a package. Nobody needs to act."
PROSE = "I think that this matters a lot."
KEY = "key-of-the-test"


class NamedServer(ModelServer):
    """A subclass has the addresses of chat and embeddings, the default size of a vector, and the known parameters."""

    chat = "/v1/chat/completions"
    embeddings = ""
    vector = 0
    knows: frozenset[str] | None = None
    key: tuple[str, str] | None = None  # a header without which the server refuses

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        headers = self.asked[-1]["headers"]
        if self.script:
            return self.script.popleft()(body)
        if self.key and headers.get(self.key[0]) != self.key[1]:
            return self.refuses(401, "invalid key")
        if self.knows is not None and (unknown := body.keys() - self.knows):
            said = f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
            return self.refuses(400, said)
        if path == self.chat:
            return 200, {}, self.says(body)
        if path == self.embeddings:
            return self.embeds(body)
        return self.refuses(404, f"{path} is not here")

    def refuses(self, status: int, message: str) -> Answer:
        raise NotImplementedError

    def says(self, body: dict[str, Any]) -> dict[str, Any]:
        form = body.get("response_format", {}).get("json_schema", {})
        return self.completion(body, filled(form.get("schema"), question(body)))

    def completion(self, body: dict[str, Any], said: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}
        return {"id": "c1", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}

    def embeds(self, body: dict[str, Any]) -> Answer:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        size = body.get("dimensions", self.vector)
        data = [{"object": "embedding", "embedding": [0.5] * size, "index": at} for at in range(len(texts))]
        usage = {"prompt_tokens": 20 * len(texts), "total_tokens": 20 * len(texts)}
        return 200, {}, {"object": "list", "data": data, "model": body["model"], "usage": usage}


class Ollama(NamedServer):
    """Ollama reads ``max_tokens`` only, asks for no key, and sends null as ``error.code``."""

    embeddings, vector = "/v1/embeddings", 768

    def refuses(self, status: int, message: str) -> Answer:
        kind = {400: "invalid_request_error", 404: "not_found_error"}.get(status, "api_error")
        return status, {}, {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def completion(self, body: dict[str, Any], said: str) -> dict[str, Any]:
        made = super().completion(body, said)
        if "max_tokens" not in body:  # Ollama generates without an end if a request has no max_tokens.
            made["usage"] |= {"completion_tokens": 30_000, "total_tokens": 30_900}
        return made


class LlamaCpp(NamedServer):
    """llama.cpp serves one model under its file name, sends numbers as ``error.code``, and embeds if started for it."""

    embeddings = "/v1/embeddings"

    def refuses(self, status: int, message: str) -> Answer:
        kinds = {400: "exceed_context_size_error", 501: "not_supported_error", 503: "unavailable_error"}
        return status, {}, {"error": {"code": status, "message": message, "type": kinds.get(status, "server_error")}}

    def completion(self, body: dict[str, Any], said: str) -> dict[str, Any]:
        made = super().completion(body, said) | {"model": "model.gguf", "timings": {"prompt_n": 900, "predicted_n": 90}}
        made["choices"][0]["message"]["reasoning_content"] = "Let me think {of} it."
        return made

    def embeds(self, body: dict[str, Any]) -> Answer:
        return self.refuses(501, "This server does not support embeddings. Start it with `--embeddings`")


class Gemini(NamedServer):
    """Gemini sends errors in a list, refuses unknown parameters, and counts thoughts in ``total_tokens`` only."""

    chat, embeddings, vector = "/v1beta/openai/chat/completions", "/v1beta/openai/embeddings", 3072
    knows = frozenset({
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "response_format",
        "reasoning_effort", "input", "dimensions", "encoding_format",
    })  # fmt: skip

    key = ("authorization", f"Bearer {KEY}")

    def refuses(self, status: int, message: str, *details: dict[str, Any]) -> Answer:
        names = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        error = {"code": status, "message": message, "status": names.get(status, "UNKNOWN"), "details": list(details)}
        return status, {}, [{"error": error}]

    def completion(self, body: dict[str, Any], said: str) -> dict[str, Any]:
        made = super().completion(body, said)
        made["usage"]["total_tokens"] = 1390
        return made


class Anthropic(NamedServer):
    """Anthropic asks for ``x-api-key``, takes a schema in ``output_config``, and has no embeddings."""

    chat = "/v1/messages"
    knows: frozenset[str] | None = frozenset({"model", "system", "messages", "max_tokens", "output_config", "thinking"})

    key = ("x-api-key", KEY)

    def refuses(self, status: int, message: str) -> Answer:
        kinds = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        error = {"type": kinds.get(status, "api_error"), "message": message}
        return status, {}, {"type": "error", "error": error, "request_id": "req_1"}

    def says(self, body: dict[str, Any]) -> dict[str, Any]:
        assert body["max_tokens"] >= 1000
        assert "anthropic-version" in self.asked[-1]["headers"]
        schema = body.get("output_config", {}).get("format", {}).get("schema")
        content = [{"type": "text", "text": filled(schema, question(body))}]
        made = {"type": "message", "role": "assistant", "model": body["model"], "content": content}
        return made | {"stop_reason": "end_turn", "usage": {"input_tokens": 900, "output_tokens": 90}}


class AnthropicByChat(Anthropic):
    """Anthropic's chat completions ignore ``response_format``, so only the instructions can contain the schema."""

    chat = NamedServer.chat
    knows, key = None, Gemini.key

    def says(self, body: dict[str, Any]) -> dict[str, Any]:
        told = body["messages"][0]["content"].rpartition("of this schema and nothing else:\n")[2]
        said = filled(json.loads(told) if told.startswith("{") else None, question(body))
        return self.completion(body, f"Here it is:\n```json\n{said}\n```")


def question(body: Mapping[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def filled(schema: Mapping[str, Any] | None, asked: str) -> str:
    """Fill in a schema as a model would; without a schema, return prose."""
    if schema is None:
        return PROSE
    assert schema["additionalProperties"] is False
    if "checks" in schema["properties"]:
        return json.dumps(checks_of(asked, lambda text: (True, [text])))
    return json.dumps({name: TEXTS[name] for name in schema["properties"]})


SERVERS: dict[str, type[NamedServer]] = {"Ollama": Ollama, "llama.cpp": LlamaCpp, "Gemini": Gemini}
SERVERS |= {"Anthropic": Anthropic, "Anthropic by chat completions": AnthropicByChat}
