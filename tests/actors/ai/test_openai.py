import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.protocol import Unfounded
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from tests.actors.ai.conftest import GOOD, ModelServer, analyst, answer
from tests.actors.database import execute
from tests.actors.raw_server import nobody
from tests.each import cases
from zeke_jobs import Defer, Reject, Retry, Throttled

ARTICLE = (
    "The registry now signs every package that a maintainer uploads. The signature is made in the maintainer's own "
    "pipeline, so that a stolen token  alone\nis not enough. Old versions stay as they are, and nobody needs to act."
)
LEFT = {"x-ratelimit-reset-requests": "1h", "x-ratelimit-remaining-requests": "5"}
USED = {"x-ratelimit-reset-tokens": "1m30s", "x-ratelimit-remaining-tokens": "0"}
PRICES = {"m": {"input": 1.0, "output": 10.0}, "e": {"input": 0.1}}


class Asking:
    """A call analyses a story with the model server; keywords change the provider's settings."""

    def __init__(self, add_story: Any, handler_context: Any, rows: Any, server: ModelServer) -> None:
        self._add, self._context, self.rows, self.server = add_story, handler_context, rows, server
        self.contexts: list[Any] = []
        self.story: uuid.UUID

    def __call__(self, *, trigger: str = "auto", story: uuid.UUID | None = None, **openai: Any) -> dict[str, Any]:
        given = {"url": self.server.url, "api_key": "sk-secret", "timeout": "2s", "prices": PRICES, **openai}
        self.story = story or self._add(ARTICLE, title="Signed packages")
        self.contexts.append(self._context(EventSettings(), ai=analyst(**given)))
        payload = AnalyzeStory.model_validate({"storyId": self.story, "trigger": trigger})
        return analyze_story(payload, self.contexts[-1])

    def answers(self, *answers: Any) -> None:
        self.server.script.extend(answers)

    @property
    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rows("SELECT * FROM ai_calls ORDER BY created_at")
        return found

    @property
    def overlays(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rows("SELECT * FROM story_overlays")
        return found


@pytest.fixture
def ask(add_story: Any, handler_context: Any, rows: Any, model_server: ModelServer) -> Asking:
    return Asking(add_story, handler_context, rows, model_server)


def test_a_models_analysis_is_stored_with_origin_quotes_tokens_and_a_cost_that_the_job_is_told(ask: Asking) -> None:
    assert ask(embedding_model="e", trigger="manual")["state"] == "completed"
    assert ask.server.faults == []
    (overlay,) = ask.overlays
    assert overlay["why_it_matters"] == "A stolen token alone no longer publishes a package."
    assert (overlay["citations"]["chili"], float(overlay["confidence"])) == (3, 0.8)
    note = overlay["citations"]["analysis"]
    assert (note["provider"], note["model"], note["prompt"]) == ("openai", "model-1-2026", "analyze/2")
    (quote,) = overlay["citations"]["quotes"]
    assert ARTICLE[quote["start"] : quote["end"]] == "a stolen token  alone\nis not enough"
    embed, analyze = ask.calls
    assert (analyze["operation"], analyze["model_asked"], analyze["model_answered"]) == ("analyze", "m", "model-1-2026")
    assert (analyze["prompt"], analyze["outcome"], analyze["story_id"]) == ("analyze/2", "ok", str(ask.story))
    assert (analyze["input_tokens"], analyze["output_tokens"]) == (1000, 100)
    assert float(analyze["cost_usd"]) == 1000 * 1e-6 + 100 * 10e-6
    assert analyze["reserved_usd"] > analyze["cost_usd"]
    assert float(embed["cost_usd"]) == 20 * 0.1e-6
    assert [(ctx.cost, ctx.currency) for ctx in ask.contexts] == [(analyze["cost_usd"] + embed["cost_usd"], "USD")]


def test_an_equal_question_is_remembered_and_a_manual_one_is_asked_anew(ask: Asking) -> None:
    ask()
    ask(story=ask.story)
    assert len(ask.server.asked) == 1
    assert (ask.calls[1]["outcome"], ask.calls[1]["cost_usd"]) == ("cached", 0)
    ask(story=ask.story, trigger="manual")
    assert len(ask.server.asked) == 2
    ask(story=ask.story, temperature=0.5)
    assert len(ask.server.asked) == 3
    # Without a price, the cost is unknown. Without an embedding model, a local model makes the vectors, and is named.
    ask(prices={}, cache=False)
    assert (ask.contexts[-1].cost, ask.calls[-1]["cost_usd"], ask.calls[-1]["input_tokens"]) == (None, None, 1000)
    assert ask.rows("SELECT DISTINCT model_version FROM story_embeddings") == [{"model_version": "hashed-words-1"}]


@cases(
    "status headers code verdict outcome",
    (429, {"Retry-After": "7"}, "", 7, "rate_limited"),
    (429, {"retry-after-ms": "1500", "Retry-After": "12"}, "", 1.5, "rate_limited"),
    (429, USED, "", 90, "rate_limited"),
    (429, {"x-ratelimit-reset-requests": "350ms", "x-ratelimit-reset-tokens": "2s"}, "", 2, "rate_limited"),
    (429, {**LEFT, "x-ratelimit-reset-tokens": "2"}, "", 2, "rate_limited"),
    (429, {}, "", Retry, "rate_limited"),
    (429, {"Retry-After": "7"}, "insufficient_quota", Reject, "failed"),
    *((status, {}, "", Retry, "failed") for status in (408, 409, 503)),
    (503, {"Retry-After": "30"}, "", 30, "rate_limited"),
    *((status, {}, "bad", Reject, "failed") for status in (400, 401, 403, 404)),
    (302, {"Location": "http://127.0.0.1/"}, "", Reject, "failed"),
    # The model may already have worked on the request when the server answers with one of these errors.
    *((status, {}, "", Retry, "failed") for status in (500, 502, 504, 520)),
)
def test_a_refusal_has_a_meaning(ask: Asking, status: int, headers: Any, code: str, verdict: Any, outcome: str) -> None:
    ask.answers(answer(status, headers, {"error": {"message": "no", "code": code}}))
    # If ``verdict`` is a number, Defer is expected with this delay in seconds.
    with pytest.raises(verdict if isinstance(verdict, type) else Defer, match=str(status)) as raised:
        ask(limit="model")
    assert len(ask.server.asked) == 1, "the client must not retry by itself"
    (call,) = ask.calls
    is_paid = status >= 500 and status != 503
    assert (call["outcome"], call["cost_usd"]) == (outcome, call["reserved_usd"] if is_paid else 0)
    assert call["reserved_usd"] > 0
    assert ask.overlays == [], "nothing is invented"
    if isinstance(raised.value, Defer):
        assert isinstance(raised.value, Throttled), "it closes the limit for all"
        assert (raised.value.limit, raised.value.until) == ("model", timedelta(seconds=verdict))


@cases(
    "scripted verdict outcome message",
    ({"content": "", "finish_reason": "length"}, Retry, "truncated", "max_output_tokens"),
    ({"content": "", "finish_reason": "content_filter"}, Reject, "refused", "content filter"),
    ({"content": "", "message": {"refusal": "I can not."}}, Reject, "refused", "I can not"),
    ({"content": "no json"}, Retry, "invalid", "no JSON object"),
    ({"content": {"chili": 3}}, Retry, "invalid", "why_it_matters"),
    ({"body": {"choices": []}}, Retry, "invalid", "no choices"),
    ({"body": b"<html>"}, Retry, "invalid", "no JSON"),
    ({"body": b"[1]"}, Retry, "invalid", "no JSON object"),
)
def test_a_bad_answer_fails_and_is_paid(ask: Asking, scripted: Any, verdict: Any, outcome: str, message: str) -> None:
    ask.answers(answer(**scripted))
    with pytest.raises(verdict, match=message):
        ask()
    (call,) = ask.calls
    assert (call["outcome"], call["cost_usd"] > 0, ask.overlays) == (outcome, True, [])


@pytest.mark.parametrize("why", ["it is slow", "it hangs up", "nobody is there"])
def test_a_question_without_an_answer_counts_as_paid_unless_nobody_was_reached(
    ask: Asking, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(_: Any) -> tuple[int, dict[str, str], Any]:
        ask.server.slow.wait(10)
        return 200, {}, {}

    if why == "it is slow":
        ask.answers(hang)
        with pytest.raises(Retry, match=r"longer than 0\.2 s"):
            ask(timeout="200ms")
    elif why == "it hangs up":
        monkeypatch.setattr(ask.server, "respond", lambda _: None)
        with pytest.raises(Retry, match="gave no answer"):
            ask()
    else:
        nowhere = nobody()
        for words in ("cannot be reached", r"model/\S+ is left alone until .*cannot be reached"):
            with pytest.raises(Defer, match=words):
                ask(url=f"{nowhere}/v1")
    (call,) = ask.calls
    assert call["cost_usd"] == (0 if why == "nobody is there" else call["reserved_usd"])
    assert call["reserved_usd"] > 0
    assert (call["outcome"] == "timeout") == (why == "it is slow")


def test_an_unfounded_answer_is_asked_again_and_a_remembered_one_passes_the_gate_again(ask: Asking, conn: Any) -> None:
    ask.answers(
        answer(content={**GOOD["analyze"], "why_it_matters": "The registry was bought by Oracle for $2 billion."})
    )
    assert ask()["state"] == "completed"
    again = ask.server.asked[1]["body"]["messages"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert "$2 billion" in again[2]["content"]
    assert "the story does not have the number $2 billion" in again[3]["content"]
    assert [call["outcome"] for call in ask.calls] == ["invalid", "ok"]
    execute(conn, "UPDATE ai_answers SET answer = jsonb_set(answer, '{answer,why_it_matters}', '\"It cost $9.\"')")
    ask(story=ask.story)
    assert len(ask.server.asked) == 3
    assert "$9" not in str(ask.overlays)


UNFOUNDED: list[tuple[dict[str, Any], str]] = [
    ({"why_it_matters": "A stolen token is at https://evil.example/now."}, "named an address that the story does not"),
    ({"why_it_matters": "The registry handles 90,000 jobs a second."}, "90,000"),
    ({"quotes": ["this was never said"]}, "no quotation of the answer is in the story"),
    ({"quotes": []}, "no quotation of the answer is in the story"),
]


@pytest.mark.parametrize(("changed", "fault"), UNFOUNDED)
def test_a_second_unfounded_answer_leaves_the_local_analysis(ask: Asking, changed: dict[str, Any], fault: str) -> None:
    ask.answers(*[answer(content={**GOOD["analyze"], **changed})] * 2)
    with pytest.raises(Unfounded) as raised:
        ask()
    assert fault in str(raised.value)
    (overlay,) = ask.overlays
    assert (overlay["analysis_state"], overlay["confidence"]) == ("extractive", None)
    assert overlay["citations"]["analysis"]["provider"] == "local"
    assert fault not in str(overlay)
    assert (len(ask.contexts[0].sent), ask.contexts[0].completed) == (3, False)
    assert ask.rows("SELECT key FROM ai_answers") == []


def test_the_key_is_sent_and_never_shown(ask: Asking) -> None:
    ask.answers(answer(401, body={"error": {"message": "no"}}))
    with pytest.raises(Reject) as raised:
        ask()
    assert ask.server.asked[0]["headers"]["authorization"] == "Bearer sk-secret"
    settings = Settings.model_validate({"provider": "openai", "openai": {"model": "m", "api_key": "sk-secret"}})
    assert "sk-secret" not in repr(settings) + str(raised.value) + json.dumps(ask.calls, default=str)


@pytest.mark.parametrize(("answer_format", "prefix"), [("json_object", ""), ("text", "Here you are:\n```json\n")])
def test_a_server_without_strict_schemas_is_asked_as_configured(ask: Asking, answer_format: str, prefix: str) -> None:
    ask.answers(answer(content=prefix + json.dumps(GOOD["analyze"])))
    assert ask(answer_format=answer_format, output_limit="max_tokens")["chili"] == 3
    body = ask.server.asked[0]["body"]
    sent = {key: value for key, value in body.items() if key.startswith("max_")}
    assert sent == {"max_tokens": 2000}, "for analysis, brief and summary"
    assert body.get("response_format") == ({"type": "json_object"} if answer_format == "json_object" else None)
    assert '"why_it_matters"' in body["messages"][0]["content"]
    assert "temperature" not in body


def test_vectors_are_padded_and_wrong_dimensions_refused(ask: Asking) -> None:
    options: dict[str, Any] = {"embedding_model": "e", "trigger": "manual"}
    ask.server.vector_size = 1024
    with pytest.raises(Reject, match="expected an embedding of 1536 numbers, got 1024"):
        ask(embedding_dimensions=1536, **options)
    assert ask.overlays == []
    for size in (1536, 768):
        ask.server.vector_size = size
        for _ in range(2):
            ask(embedding_dimensions=size, story=ask.story, **options)
        (stored,) = ask.rows("SELECT model_version, vector_dims(embedding) AS size FROM story_embeddings")
        assert stored == {"model_version": f"e@{size}", "size": 1536}
