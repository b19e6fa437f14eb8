"""With the settings in docs/ai.md, the client talks to each kind of server as the server's provider documents.

The servers on loopback follow the providers' documentation; the one for Ollama follows its source code. If a server
enforces no schema, its model answers in prose.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from actors.ai import Settings
from actors.ai.protocol import Story
from tests.actors.ai.conftest import GOOD, Books, ModelServer, analyst, completion
from tests.actors.ai.provider import checks_of
from tests.each import cases
from zeke_jobs import Defer, Reject, Retry
from zeke_jobs.config.imports import Substitution

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ai.md").read_text(encoding="utf-8")
BLOCKS = {name: yaml.safe_load(text) for name, text in re.findall(r"```yaml\n# (.+)\n(openai:(?s:.)+?)```", PAGE)}
STORY = "Packages are signed now. A stolen token is not enough. A stolen token alone no longer publishes a package. Nobody needs to act."
TOLD = Story(uuid.UUID(int=1), "Signed packages", STORY)
TEXTS = {**GOOD["analyze"], **GOOD["brief"], **GOOD["summarize"], "quotes": ["A stolen token is not enough."]}
KEY = "key-of-the-test"
BEARER = {"authorization": f"Bearer {KEY}"}


@dataclass(frozen=True)
class Kind:
    """A kind of server: its paths, the size of its vectors, required ``headers``, and parameters that it ``knows``."""

    chat: str = "/v1/chat/completions"
    embeddings: str = ""
    vector: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    knows: frozenset[str] | None = None
    limit: str = ""  # the parameter without which an answer has no end
    thoughts: int = 0  # tokens that only the total counts


KINDS = {
    "Ollama": Kind(embeddings="/v1/embeddings", vector=768, limit="max_tokens"),
    "llama.cpp": Kind(limit="max_tokens"),
    "Gemini": Kind(
        chat="/v1beta/openai/chat/completions", embeddings="/v1beta/openai/embeddings", vector=3072, headers=BEARER, thoughts=390,
        knows=frozenset({
            "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "response_format",
            "reasoning_effort", "input", "dimensions", "encoding_format",
        }),
    ),
    "Anthropic": Kind(
        chat="/v1/messages", headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"}, limit="max_tokens",
        knows=frozenset({"model", "system", "messages", "max_tokens", "output_config", "thinking"}),
    ),
    "Anthropic by chat completions": Kind(headers=BEARER),
}  # fmt: skip


class NamedServer(ModelServer):
    def __init__(self, name: str) -> None:
        self._name, self._kind = name, KINDS[name]
        super().__init__()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        kind = self._kind
        if kind.headers.items() - self.asked[-1]["headers"].items() or (kind.knows and body.keys() - kind.knows):
            return 400, {}, {"error": {"message": f"an unknown caller or parameter: {sorted(body)}"}}
        if path == kind.embeddings:
            vector = [0.5] * body.get("dimensions", kind.vector)
            data = [{"embedding": vector, "index": at} for at in range(len(body["input"]))]
            return 200, {}, {"model": body["model"], "data": data, "usage": {"prompt_tokens": 20}}
        if path != kind.chat:
            return 404, {}, {"error": {"message": f"{path} is not here"}}
        said, made = self._filled(body), completion("")
        is_bounded = not kind.limit or 1000 <= body.get(kind.limit, 0) <= 8000
        used = made["usage"] | {"completion_tokens": 100 if is_bounded else 30_000}
        if self._name == "Anthropic":
            used = {"input_tokens": used["prompt_tokens"], "output_tokens": used["completion_tokens"]}
            return 200, {}, {"content": [{"type": "text", "text": said}], "stop_reason": "end_turn", "usage": used}
        made["choices"][0]["message"] |= {"content": said, "reasoning_content": "Let me think {of} it."}
        return 200, {}, made | {"usage": used | {"total_tokens": 1100 + kind.thoughts}}

    def _filled(self, body: dict[str, Any]) -> str:
        """Answer like a model whose server enforces the schema of the request; without a schema, answer in prose."""
        form = body.get("output_config", {}).get("format") or body.get("response_format", {}).get("json_schema", {})
        schema = form.get("schema")
        if self._name == "Anthropic by chat completions":  # It ignores response_format.
            told = body["messages"][0]["content"].rpartition("of this schema and nothing else:\n")[2]
            schema = json.loads(told) if told.startswith("{") else None
        if schema is None:
            return "I think that this matters a lot."
        assert schema["additionalProperties"] is False
        if "checks" in schema["properties"]:
            return json.dumps(checks_of(str(body["messages"][-1]["content"]), lambda text: (True, [text])))
        said = json.dumps({name: TEXTS[name] for name in schema["properties"]})
        return said if form else f"Here it is:\n```json\n{said}\n```"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Start a server by its name, and make the client that docs/ai.md configures for the server."""

    def go(name: str, **changed: Any) -> Any:
        server = NamedServer(name)
        request.addfinalizer(server.close)
        for variable in ("GEMINI_API_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.setenv(variable, KEY)
        given = Substitution(BLOCKS[name]).value["openai"] | changed
        there = urlsplit(given["base_url"])
        given["base_url"] = there._replace(scheme="http", netloc=urlsplit(server.url).netloc).geturl()
        return Settings.model_validate({"provider": "openai", "openai": given}).open()

    return go


@pytest.mark.parametrize("name", KINDS)
def test_each_block_analyses_writes_and_embeds(start: Callable[..., Any], name: str) -> None:
    assert (list(BLOCKS), f"\n| {name} |" in PAGE) == (list(KINDS), True)
    analyst, books = start(name), Books()
    assert analyst.analyze(TOLD, books).why_it_matters == "A stolen token alone no longer publishes a package."
    assert analyst.brief(TOLD, books).one_liner == "Packages are signed now."
    assert analyst.summarize(TOLD, books).made_by.checked == "verified"
    assert {end.input_tokens for end in books.ended} == {1000}
    assert [end.outcome for end in books.ended] == ["ok"] * 6, "neither a call too many nor one without an answer"
    assert all((end.output_tokens or 0) <= 1000 for end in books.ended), "the server knows the bound of an answer"
    assert bool(KINDS[name].vector) == analyst.embeds_together
    assert [len(one.vector) for one in analyst.embed_many([TOLD, TOLD], books)] == [1536, 1536]


def test_ollama_has_no_price_and_thoughts_of_gemini_are_paid(start: Callable[..., Any]) -> None:
    gemini = start("Gemini", prices={"gemini-3.5-flash": {"input": 1, "output": 10}})
    for asked, cost in ((start("Ollama"), 0.0), (gemini, (1000 + 10 * 490) / 1_000_000)):
        asked.summarize(TOLD, books := Books())
        assert [end.cost for end in books.ended] == [cost, cost]


def chat(reason: str, **choice: Any) -> Any:
    return {"model": "m", "choices": [{"index": 0, "finish_reason": reason, **choice}]}


def stopped(reason: str) -> Any:
    return {"type": "message", "content": [], "stop_reason": reason, "usage": {}}


def error(message: str, **more: Any) -> Any:
    return {"error": {"message": message, "code": None, **more}}


#: Ollama sends null as the code of an error, llama.cpp and Gemini send numbers, Gemini in a list; Anthropic sends none.
DELAY = [{"violations": []}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22s"}]
GEMINIS = [error("You exceeded it.", code=429, status="RESOURCE_EXHAUSTED", details=DELAY)]
SPENT = error("Too much.", type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"})
BUSY = error("Overloaded", type="overloaded_error")
TEXT = "The registry now signs every package. A stolen token is not enough."
SIGNED = Story(uuid.UUID(int=1), "Signed packages", TEXT)
SUMMARY = "The registry signs every package now."
ANSWER = json.dumps({"summary": SUMMARY})


def responses(content: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": content}]
    usage = {"input_tokens": 12, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
    return {"object": "response", "status": "completed", "model": "m-1", "output": output, "usage": usage, **more}


@pytest.fixture
def ask(model_server: Any) -> Callable[..., tuple[Any, dict[str, Any], Books]]:
    """Ask for a summary; return a tuple of the summary or the exception, the request, and the ledger of costs."""

    def go(body: Any, status: int = 200, headers: Any = None, **options: Any) -> tuple[Any, dict[str, Any], Books]:
        model_server.script.append(lambda _: (status, headers or {}, body))
        books, asked = Books(), analyst(**{"url": model_server.url, "api_key": "sk-secret", **options})
        try:
            found: Any = asked.summarize(SIGNED, books)
        except (Retry, Defer, Reject) as verdict:
            found = verdict
        return found, model_server.asked[-1], books

    return go


@cases(
    "kind status headers body verdict charged said",
    ("chat", 404, {}, error("model 'm' not found", type="not_found_error"), Reject, False, "not_found_error: model 'm'"),
    ("chat", 503, {}, error("Loading model", code=503, type="unavailable_error"), Retry, False, "503 unavailable_error: Loading"),
    ("chat", 501, {}, error("Start it with `--embeddings`", code=501), Reject, False, "--embeddings"),
    ("chat", 429, {}, GEMINIS, 22, False, "429 RESOURCE_EXHAUSTED: You exceeded"),
    ("chat", 200, {}, chat("SAFETY"), Reject, True, "content filter"),
    ("chat", 200, {}, chat("content_filter: RECITATION", message=None), Reject, True, "content filter"),
    ("chat", 200, {}, chat("MAX_TOKENS"), Retry, True, "cut off"),
    ("anthropic", 429, {}, SPENT, Reject, False, "enforced_spend_limit_reached"),
    ("anthropic", 529, {}, BUSY, Retry, False, "overloaded_error: Overloaded"),
    ("anthropic", 529, {"retry-after": "7"}, BUSY, 7, False, "overloaded_error"),
    ("anthropic", 200, {}, stopped("model_context_window_exceeded"), Retry, True, "cut off"),
    ("anthropic", 200, {}, stopped("refusal"), Reject, True, "refused"),
    ("anthropic", 200, {}, {"type": "message"}, Retry, True, "not one of kind anthropic"),
    ("responses", 200, {}, responses([{"type": "refusal", "refusal": "I can not."}]), Reject, True, "I can not"),
    ("responses", 200, {}, responses([], status="incomplete", incomplete_details={"reason": "max_output_tokens"}), Retry, True, "cut off"),
    ("responses", 200, {}, {"error": {"message": "x"}, "output": None}, Retry, True, "not one of kind responses"),
)  # fmt: skip
def test_each_refusal_of_a_server_has_its_meaning(
    ask: Any, model_server: Any, kind: str, status: int, headers: Any, body: Any, verdict: Any, charged: bool, said: str
) -> None:
    found, _, books = ask(body, status, headers, kind=kind)
    assert said in str(found)
    assert books.ended[0].is_charged is charged
    if isinstance(verdict, type):
        assert isinstance(found, verdict)
    else:  # Defer is expected with this delay in seconds.
        assert isinstance(found, Defer)
        assert found.until == timedelta(seconds=verdict)
    assert len(model_server.asked) == 1


def test_responses_are_asked_and_read(ask: Callable[..., Any]) -> None:
    answer = responses([{"type": "output_text", "text": ANSWER, "annotations": []}])
    found, asked, books = ask(answer, kind="responses", reasoning_effort="low")
    assert found.text == SUMMARY
    assert asked["path"] == "/v1/responses"
    body = asked["body"]
    assert (body["reasoning"], body["max_output_tokens"], body["store"]) == ({"effort": "low"}, 8000, False)
    assert body["text"]["format"]["type"] == "json_schema"
    assert "story begins" in body["input"][0]["content"]
    assert (books.ended[0].input_tokens, books.ended[0].output_tokens) == (12, 7)
    # A reasoning model may use more tokens, and extra_body must not change what a call may cost.
    _, asked, _ = ask(completion(ANSWER), reasoning_effort="high", extra_body={"service_tier": "flex"})
    body = asked["body"]
    assert (body["reasoning_effort"], body["max_completion_tokens"], body["service_tier"]) == ("high", 8000, "flex")
    with pytest.raises(ValueError, match="expected no 'max_tokens' in extra_body"):
        ask(completion(ANSWER), extra_body={"max_tokens": 9})


def test_azure_is_reached_by_its_address_key_and_version(ask: Callable[..., Any], model_server: Any) -> None:
    azure = model_server.url.replace("/v1", "/openai/deployments/news")
    options = {"api_key": None, "extra_headers": {"api-key": "az-secret"}}
    for more in ({"url": azure, "query": {"api-version": "2024-10-21"}}, {"url": f"{azure}?api-version=2024-10-21"}):
        found, asked, _ = ask(completion(ANSWER), **options, **more)
        assert found.text == SUMMARY
        assert asked["path"] == "/openai/deployments/news/chat/completions?api-version=2024-10-21"
        assert asked["headers"]["api-key"] == "az-secret"
    settings = Settings.model_validate({"provider": "openai", "openai": {"model": "m", **options}})
    assert "az-secret" not in repr(settings)


@cases(
    "message",
    {"content": f"```json\n{ANSWER}\n```"},
    {"content": f"Here is the summary:\n\n{ANSWER}\n\nI hope that it helps {{you}}."},
    {"content": f"<think>\nThe reader wants {{}} JSON.\n</think>\n\n{ANSWER}"},
    {"content": f"The reader wants JSON.\n</think>\n{ANSWER}"},
    {"content": ANSWER, "reasoning_content": "I think {hard}."},
    {"content": None, "reasoning_content": f"So the answer is {ANSWER}"},
    {"content": [{"type": "text", "text": ANSWER}]},
)
def test_a_chat_answer_may_come_in_fences_prose_or_parts_or_behind_thoughts(ask: Any, message: dict[str, Any]) -> None:
    assert ask(completion("", message=message))[0].text == SUMMARY
