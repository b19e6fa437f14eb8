"""With the settings in docs/ai.md, the client talks to each kind of server as the server's provider documents."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from actors.ai import Settings
from actors.ai.protocol import Story
from tests.actors.ai.conftest import Books, analyst, completion
from tests.actors.ai.named_servers import KEY, SERVERS, STORY
from zeke_jobs import Defer, Reject, Retry
from zeke_jobs.config.imports import Substitution

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ai.md").read_text(encoding="utf-8")
BLOCKS = {name: yaml.safe_load(text) for name, text in re.findall(r"```yaml\n# (.+)\n(openai:(?s:.)+?)```", PAGE)}
TOLD = Story(uuid.UUID(int=1), "Signed packages", STORY)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Start a server by its name, and make the client that docs/ai.md configures for the server."""
    running = ExitStack()

    def go(name: str, **changed: Any) -> tuple[Any, Any]:
        server = running.enter_context(SERVERS[name]())
        for variable in ("GEMINI_API_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.setenv(variable, KEY)
        given = Substitution(BLOCKS[name]).value["openai"] | changed
        there = urlsplit(given["base_url"])
        given["base_url"] = there._replace(scheme="http", netloc=urlsplit(server.url).netloc).geturl()
        return server, Settings.model_validate({"provider": "openai", "openai": given}).open()

    with running:
        yield go


def test_the_page_has_a_block_and_a_row_for_each_server() -> None:
    assert list(BLOCKS) == list(SERVERS)
    assert all(f"\n| {name} |" in PAGE for name in SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_each_block_analyses_writes_and_embeds(start: Callable[..., Any], name: str) -> None:
    server, analyst = start(name)
    books = Books()
    assert analyst.analyze(TOLD, books).why_it_matters == "A stolen token alone no longer publishes a package."
    assert analyst.brief(TOLD, books).one_liner == "Packages are signed now."
    assert analyst.summarize(TOLD, books).made_by.checked == "verified"
    assert {end.input_tokens for end in books.ended} == {900}
    assert [end.outcome for end in books.ended] == ["ok"] * 6, "neither a call too many nor one without an answer"
    assert all((end.output_tokens or 0) <= 1000 for end in books.ended), "the server knows the bound of an answer"
    assert bool(server.embeddings and server.vector) == analyst.embeds_together
    vectors = analyst.embed_many([TOLD, TOLD], books)
    assert [len(one.vector) for one in vectors] == [1536, 1536]


@pytest.mark.parametrize(
    ("name", "prices", "cost"),
    [("Ollama", {}, 0.0), ("Gemini", {"gemini-3.5-flash": {"input": 1, "output": 10}}, (900 + 10 * 490) / 1_000_000)],
)
def test_ollama_has_no_price_and_thoughts_of_gemini_are_paid(start: Any, name: str, prices: Any, cost: float) -> None:
    _, analyst = start(name, **({"prices": prices} if prices else {}))
    analyst.summarize(TOLD, books := Books())
    assert [end.cost for end in books.ended] == [cost, cost]


def spent(server: Any) -> Any:
    status, headers, body = server.refuses(429, "This request would exceed your organization's spend limit.")
    body["error"]["details"] = {"error_code": "enforced_spend_limit_reached"}
    return status, headers, body


def waits(server: Any, status: int = 429) -> Any:
    return status, {"retry-after": "7"}, server.refuses(status, "slow down")[2]


def delayed(server: Any) -> Any:
    quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaValue": "10"}]}
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22s"}
    return server.refuses(429, "You exceeded your current quota.", quota, delay)


def ended(reason: str, **choice: Any) -> Callable[[Any], Any]:
    body = {"model": "m", "choices": [{"index": 0, "finish_reason": reason, **choice}]}
    return lambda _: (200, {}, body)


def stopped(reason: str) -> Callable[[Any], Any]:
    return lambda _: (200, {}, {"type": "message", "content": [], "stop_reason": reason, "usage": {}})


@pytest.mark.parametrize(
    ("name", "answer", "verdict", "wait", "charged", "said"),
    [
        ("Ollama", lambda s: s.refuses(404, "model 'm' not found"), Reject, None, False, "not_found_error: model 'm'"),
        ("Ollama", lambda s: s.refuses(503, "server busy, please try again"), Retry, None, False, "server busy"),
        ("llama.cpp", lambda s: s.refuses(503, "Loading model"), Retry, None, False, "503 unavailable_error: Loading"),
        ("llama.cpp", lambda s: s.refuses(400, "it exceeds"), Reject, None, False, "exceed_context_size_error"),
        ("llama.cpp", lambda s: s.refuses(501, "Start it with `--embeddings`"), Reject, None, False, "--embeddings"),
        ("Gemini", delayed, Defer, 22, False, "429 RESOURCE_EXHAUSTED: You exceeded"),
        ("Gemini", lambda s: s.refuses(503, "The model is overloaded."), Retry, None, False, "UNAVAILABLE: The model"),
        ("Gemini", lambda s: s.refuses(400, "API key not valid."), Reject, None, False, "INVALID_ARGUMENT: API key"),
        ("Gemini", ended("SAFETY"), Reject, None, True, "content filter"),
        ("Gemini", ended("content_filter: RECITATION", message=None), Reject, None, True, "content filter"),
        ("Gemini", ended("length", message={"role": "assistant"}), Retry, None, True, "cut off"),
        ("Gemini", ended("MAX_TOKENS"), Retry, None, True, "cut off"),
        ("Anthropic", waits, Defer, 7, False, "rate_limit_error: slow down"),
        ("Anthropic", spent, Reject, None, False, "enforced_spend_limit_reached"),
        ("Anthropic", lambda s: s.refuses(529, "Overloaded"), Retry, None, False, "overloaded_error: Overloaded"),
        ("Anthropic", lambda s: waits(s, 529), Defer, 7, False, "overloaded_error"),
        ("Anthropic", stopped("model_context_window_exceeded"), Retry, None, True, "cut off"),
        ("Anthropic", stopped("refusal"), Reject, None, True, "refused"),
    ],
)
def test_each_refusal_of_a_server_has_its_meaning(
    start: Any, name: str, answer: Any, verdict: type[Exception], wait: float | None, charged: bool, said: str
) -> None:
    server, analyst = start(name, verify=False)
    server.script.append(lambda _: answer(server))
    books = Books()
    with pytest.raises(verdict) as raised:
        analyst.summarize(TOLD, books)
    assert said in str(raised.value)
    assert books.ended[0].is_charged is charged
    assert (raised.value.until.total_seconds() if isinstance(raised.value, Defer) else None) == wait  # type: ignore[union-attr]
    assert len(server.asked) == 1


TEXT = "The registry now signs every package. A stolen token is not enough."
SIGNED = Story(uuid.UUID(int=1), "Signed packages", TEXT)
SUMMARY = "The registry signs every package now."
CUT = {"reason": "max_output_tokens"}
ANSWER = json.dumps({"summary": SUMMARY})


def responses(content: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": content}]
    usage = {"input_tokens": 12, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
    return {"object": "response", "status": "completed", "model": "m-1", "output": output, "usage": usage, **more}


@pytest.fixture
def ask(model_server: Any) -> Callable[..., tuple[Any, dict[str, Any], Books]]:
    def go(answer: dict[str, Any], **options: Any) -> tuple[Any, dict[str, Any], Books]:
        model_server.script.append(lambda _: (200, {}, answer))
        books = Books()
        try:
            found: Any = analyst(**{"url": model_server.url, "api_key": "sk-secret", **options}).summarize(
                SIGNED, books
            )
        except (Retry, Reject) as verdict:
            found = verdict
        return found, model_server.asked[-1], books

    return go


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


def test_a_model_that_thinks_gets_room_and_extra_body_leaves_alone_what_a_call_costs(
    ask: Callable[..., Any],
) -> None:
    _, asked, _ = ask(completion(ANSWER), reasoning_effort="high", extra_body={"service_tier": "flex"})
    body = asked["body"]
    assert (body["reasoning_effort"], body["max_completion_tokens"], body["service_tier"]) == ("high", 8000, "flex")
    with pytest.raises(ValueError, match="expected no 'max_tokens' in extra_body"):
        ask(completion(ANSWER), extra_body={"max_tokens": 9})


@pytest.mark.parametrize(
    ("kind", "answer", "verdict", "message"),
    [
        ("responses", responses([{"type": "refusal", "refusal": "I can not."}]), Reject, "I can not"),
        ("responses", responses([], status="incomplete", incomplete_details=CUT), Retry, "cut off"),
        ("responses", {"error": {"message": "x"}, "output": None}, Retry, "not one of kind responses"),
        ("anthropic", {"type": "message"}, Retry, "not one of kind anthropic"),
    ],
)
def test_each_kind_says_when_it_has_no_answer(
    ask: Callable[..., Any], kind: str, answer: dict[str, Any], verdict: type[Exception], message: str
) -> None:
    found, _, _ = ask(answer, kind=kind)
    assert isinstance(found, verdict)
    assert message in str(found)


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"```json\n{ANSWER}\n```"},
        {"content": f"Here is the summary:\n\n{ANSWER}\n\nI hope that it helps {{you}}."},
        {"content": f"<think>\nThe reader wants {{}} JSON.\n</think>\n\n{ANSWER}"},
        {"content": f"The reader wants JSON.\n</think>\n{ANSWER}"},
        {"content": ANSWER, "reasoning_content": "I think {hard}."},
        {"content": None, "reasoning_content": f"So the answer is {ANSWER}"},
        {"content": [{"type": "text", "text": ANSWER}]},
    ],
)
def test_a_chat_answer_may_come_in_fences_prose_or_parts_or_behind_thoughts(ask: Any, message: dict[str, Any]) -> None:
    assert ask(completion("", message=message))[0].text == SUMMARY
