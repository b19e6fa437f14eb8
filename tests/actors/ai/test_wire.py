"""These requests and answers follow the public documentation of each provider."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.openai.answers import SummaryAnswer, read
from actors.ai.protocol import Story
from tests.actors.ai.conftest import Books, analyst, completion
from zeke_jobs import Reject, Retry

STORY = Story(
    uuid.UUID(int=1), "Signed packages", "The registry now signs every package. A stolen token is not enough."
)
CUT = {"reason": "max_output_tokens"}
ANSWER = json.dumps({"summary": "The registry signs every package now."})


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
            found: Any = analyst(**{"url": model_server.url, "api_key": "sk-secret", **options}).summarize(STORY, books)
        except (Retry, Reject) as verdict:
            found = verdict
        return found, model_server.asked[-1], books

    return go


def test_responses_are_asked_and_read(ask: Callable[..., Any]) -> None:
    answer = responses([{"type": "output_text", "text": ANSWER, "annotations": []}])
    found, asked, books = ask(answer, kind="responses", reasoning_effort="low")
    assert found.text == "The registry signs every package now."
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
        assert found.text == "The registry signs every package now."
        assert asked["path"] == "/openai/deployments/news/chat/completions?api-version=2024-10-21"
        assert asked["headers"]["api-key"] == "az-secret"
    settings = Settings.model_validate({"provider": "openai", "openai": {"model": "m", **options}})
    assert "az-secret" not in repr(settings)


def test_a_model_that_thinks_is_told_how_hard_and_gets_room(ask: Callable[..., Any]) -> None:
    _, asked, _ = ask(completion(ANSWER), reasoning_effort="high", extra_body={"service_tier": "flex"})
    body = asked["body"]
    assert (body["reasoning_effort"], body["max_completion_tokens"], body["service_tier"]) == ("high", 8000, "flex")


def test_extra_body_leaves_alone_what_a_call_costs() -> None:
    with pytest.raises(ValueError, match="expected no 'max_tokens' in extra_body"):
        Settings.model_validate({"provider": "openai", "openai": {"model": "m", "extra_body": {"max_tokens": 9}}})


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
    "content",
    [
        ANSWER,
        f"```json\n{ANSWER}\n```",
        f"Here is the summary:\n\n{ANSWER}\n\nI hope that it helps {{you}}.",
        f"<think>\nThe reader wants {{}} JSON.\n</think>\n\n{ANSWER}",
        f"The reader wants JSON.\n</think>\n{ANSWER}",
    ],
)
def test_an_answer_is_found_in_fences_prose_and_behind_thoughts(content: str) -> None:
    assert read(SummaryAnswer, content).summary == "The registry signs every package now."


@pytest.mark.parametrize(
    "message",
    [
        {"content": ANSWER, "reasoning_content": "I think {hard}."},
        {"content": None, "reasoning_content": f"So the answer is {ANSWER}"},
        {"content": [{"type": "text", "text": ANSWER}]},
    ],
)
def test_a_chat_answer_may_come_in_parts_or_behind_its_reasoning(ask: Any, message: dict[str, Any]) -> None:
    found, _, _ = ask(completion("", message=message))
    assert found.text == "The registry signs every package now."
