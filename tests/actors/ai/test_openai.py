import json
import socket
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.protocol import Unfounded
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from tests.actors.ai.conftest import GOOD, analyst
from tests.actors.database import execute
from zeke_jobs import Defer, Reject, Retry, Throttled

ARTICLE = (
    "The registry now signs every package that a maintainer uploads. The signature is made in the maintainer's own "
    "pipeline, so that a stolen token  alone\nis not enough. Old versions stay as they are, and nobody needs to act."
)
LEFT = {"x-ratelimit-reset-requests": "1h", "x-ratelimit-remaining-requests": "5"}
CALLS = "SELECT * FROM ai_calls ORDER BY created_at"
PRICES = {"m": {"input": 1.0, "output": 10.0}, "e": {"input": 0.1}}


@pytest.fixture
def contexts() -> list[Any]:
    """Collect the contexts in which ``run`` runs the handler."""
    return []


@pytest.fixture
def run(
    add_story: Any, handler_context: Any, model_server: Any, contexts: list[Any]
) -> Callable[..., tuple[dict[str, Any], uuid.UUID]]:
    """Analyse a story with the model server; keywords change settings of the provider."""

    def go(
        document: str = ARTICLE, *, trigger: str = "auto", story: uuid.UUID | None = None, **openai: Any
    ) -> tuple[dict[str, Any], uuid.UUID]:
        ai = analyst(**{"url": model_server.url, "api_key": "sk-secret", "timeout": "2s", **openai})
        story = story or add_story(document, title="Signed packages")
        payload = AnalyzeStory.model_validate({"storyId": story, "trigger": trigger})
        contexts.append(handler_context(EventSettings(), ai=ai))
        return analyze_story(payload, contexts[-1]), story

    return go


def test_a_models_analysis_is_stored_with_origin_and_verified_quotes(run: Any, rows: Any, model_server: Any) -> None:
    output, _ = run()
    assert output["state"] == "completed"
    assert model_server.faults == []
    (overlay,) = rows("SELECT * FROM story_overlays")
    assert overlay["why_it_matters"] == "A stolen token alone no longer publishes a package."
    assert (overlay["citations"]["chili"], float(overlay["confidence"])) == (3, 0.8)
    note = overlay["citations"]["analysis"]
    assert (note["provider"], note["model"], note["prompt"]) == ("openai", "model-1-2026", "analyze/2")
    (quote,) = overlay["citations"]["quotes"]
    assert ARTICLE[quote["start"] : quote["end"]] == "a stolen token  alone\nis not enough"


def test_every_call_is_recorded_with_tokens_and_a_cost_that_the_job_is_told(run: Any, rows: Any, contexts: Any) -> None:
    _, story = run(prices=PRICES, embedding_model="e", trigger="manual")
    embed, analyze = rows(CALLS)
    assert (analyze["operation"], analyze["model_asked"], analyze["model_answered"]) == ("analyze", "m", "model-1-2026")
    assert (analyze["prompt"], analyze["outcome"], analyze["story_id"]) == ("analyze/2", "ok", str(story))
    assert (analyze["input_tokens"], analyze["output_tokens"]) == (1000, 100)
    assert float(analyze["cost_usd"]) == 1000 * 1e-6 + 100 * 10e-6
    assert analyze["reserved_usd"] > analyze["cost_usd"]
    assert float(embed["cost_usd"]) == 20 * 0.1e-6
    assert [(ctx.cost, ctx.currency) for ctx in contexts] == [(analyze["cost_usd"] + embed["cost_usd"], "USD")]


def test_an_unknown_price_is_unknown_and_vectors_without_a_model_keep_their_local_name(
    run: Any, rows: Any, contexts: list[Any]
) -> None:
    run()
    assert [ctx.cost for ctx in contexts] == [None]
    (call,) = rows(CALLS)
    assert (call["cost_usd"], call["input_tokens"]) == (None, 1000)
    assert rows("SELECT model_version FROM story_embeddings") == [{"model_version": "hashed-words-1"}]


def test_an_equal_question_is_remembered_and_a_manual_one_is_asked_anew(run: Any, rows: Any, model_server: Any) -> None:
    _, story = run(prices=PRICES)
    run(story=story, prices=PRICES)
    assert len(model_server.asked) == 1
    assert [(row["outcome"], float(row["cost_usd"])) for row in rows(CALLS)][1] == ("cached", 0.0)
    run(story=story, prices=PRICES, trigger="manual")
    assert len(model_server.asked) == 2
    run(story=story, prices=PRICES, temperature=0.5)
    assert len(model_server.asked) == 3


@pytest.mark.parametrize(
    ("status", "headers", "code", "verdict", "outcome"),
    [
        (429, {"Retry-After": "7"}, "", 7, "rate_limited"),
        (429, {"retry-after-ms": "1500", "Retry-After": "12"}, "", 1.5, "rate_limited"),
        (
            429,
            {"x-ratelimit-reset-tokens": "1m30s", "x-ratelimit-remaining-tokens": "0"},
            "",
            90,
            "rate_limited",
        ),
        (429, {"x-ratelimit-reset-requests": "350ms", "x-ratelimit-reset-tokens": "2s"}, "", 2, "rate_limited"),
        (429, {**LEFT, "x-ratelimit-reset-tokens": "2"}, "", 2, "rate_limited"),
        (429, {}, "", Retry, "rate_limited"),
        (429, {"Retry-After": "7"}, "insufficient_quota", Reject, "failed"),
        (503, {}, "", Retry, "failed"),
        (503, {"Retry-After": "30"}, "", 30, "rate_limited"),
        (400, {}, "bad", Reject, "failed"),
        (401, {}, "invalid_api_key", Reject, "failed"),
        (404, {}, "model_not_found", Reject, "failed"),
        (302, {"Location": "http://127.0.0.1/"}, "", Reject, "failed"),
        # The model may have worked before the server answers with one of these errors.
        *((status, {}, "", Retry, "failed") for status in (500, 502, 504, 520)),
    ],
)
def test_each_refusal_has_one_meaning_and_retries_do_not_nest(
    run: Any,
    rows: Any,
    model_server: Any,
    answers: Any,
    status: int,
    headers: Any,
    code: str,
    verdict: Any,
    outcome: str,
) -> None:
    model_server.script.append(answers(status, headers, {"error": {"message": "no", "code": code}}))
    # A number in ``verdict`` is the delay of the Defer in seconds.
    kind = verdict if isinstance(verdict, type) else Defer
    with pytest.raises(kind, match=str(status)) as raised:
        run(prices=PRICES, limit="model")
    assert len(model_server.asked) == 1, "the client must not retry by itself"
    (call,) = rows(CALLS)
    is_paid = status >= 500 and status != 503
    assert (call["outcome"], call["cost_usd"]) == (outcome, call["reserved_usd"] if is_paid else 0)
    assert call["reserved_usd"] > 0
    assert rows("SELECT story_id FROM story_overlays") == [], "nothing is invented"
    if isinstance(raised.value, Defer):
        assert isinstance(raised.value, Throttled), "it closes the limit for all"
        assert (raised.value.limit, raised.value.until) == ("model", timedelta(seconds=verdict))


@pytest.mark.parametrize(
    ("scripted", "verdict", "outcome", "message"),
    [
        ({"content": "", "finish_reason": "length"}, Retry, "truncated", "max_output_tokens"),
        ({"content": "", "finish_reason": "content_filter"}, Reject, "refused", "content filter"),
        ({"content": "", "message": {"refusal": "I can not."}}, Reject, "refused", "I can not"),
        ({"content": "no json"}, Retry, "invalid", "no JSON object"),
        ({"content": {"chili": 3}}, Retry, "invalid", "why_it_matters"),
        ({"body": {"choices": []}}, Retry, "invalid", "no choices"),
        ({"body": b"<html>"}, Retry, "invalid", "no JSON"),
        ({"body": b"[1]"}, Retry, "invalid", "no JSON object"),
    ],
)
def test_a_bad_answer_is_a_visible_failure_and_is_paid_for(
    run: Any, rows: Any, model_server: Any, answers: Any, scripted: Any, verdict: Any, outcome: str, message: str
) -> None:
    model_server.script.append(answers(**scripted))
    with pytest.raises(verdict, match=message):
        run(prices=PRICES)
    (call,) = rows(CALLS)
    assert call["outcome"] == outcome
    assert call["cost_usd"] > 0
    assert rows("SELECT story_id FROM story_overlays") == []


def test_a_slow_provider_is_given_up_after_its_timeout_and_counts_as_paid(
    run: Any, rows: Any, model_server: Any
) -> None:
    def hang(_: Any) -> tuple[int, dict[str, str], Any]:
        model_server.slow.wait(10)
        return 200, {}, {}

    model_server.script.append(hang)
    with pytest.raises(Retry, match=r"longer than 0\.2 s"):
        run(prices=PRICES, timeout="200ms")
    (call,) = rows(CALLS)
    assert call["outcome"] == "timeout"
    assert call["cost_usd"] == call["reserved_usd"] > 0


def test_a_connection_that_breaks_off_after_the_question_counts_as_paid(run: Any, rows: Any) -> None:
    def hear_and_hang_up(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hear_and_hang_up, args=(listener,))
        thread.start()
        with pytest.raises(Retry, match="gave no answer"):
            run(prices=PRICES, url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        thread.join()
    (call,) = rows(CALLS)
    assert call["cost_usd"] == call["reserved_usd"] > 0


def test_a_provider_that_was_never_reached_costs_nothing_and_is_left_alone_by_all(run: Any, rows: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Defer, match="cannot be reached"):
        run(prices=PRICES, url=f"http://127.0.0.1:{port}/v1")
    (call,) = rows(CALLS)
    assert call["cost_usd"] == 0
    with pytest.raises(Defer, match=r"model/\S+ is left alone until .*cannot be reached"):
        run(prices=PRICES, url=f"http://127.0.0.1:{port}/v1")
    assert len(rows(CALLS)) == 1


def test_an_answer_that_the_story_does_not_bear_out_is_asked_for_again_with_its_fault(
    run: Any, rows: Any, model_server: Any, answers: Any
) -> None:
    told = {**GOOD["analyze"], "why_it_matters": "The registry was bought by Oracle for $2 billion."}
    model_server.script.append(answers(content=told))
    output, _ = run(prices=PRICES)
    assert output["state"] == "completed"
    again = model_server.asked[1]["body"]["messages"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert "$2 billion" in again[2]["content"]
    assert "the story does not have the number $2 billion" in again[3]["content"]
    assert [call["outcome"] for call in rows(CALLS)] == ["invalid", "ok"]


UNFOUNDED: list[tuple[dict[str, Any], str]] = [
    ({"why_it_matters": "A stolen token is at https://evil.example/now."}, "named an address that the story does not"),
    ({"why_it_matters": "The registry handles 90,000 jobs a second."}, "90,000"),
    ({"quotes": ["this was never said"]}, "no quotation of the answer is in the story"),
    ({"quotes": []}, "no quotation of the answer is in the story"),
]


@pytest.mark.parametrize(("changed", "fault"), UNFOUNDED)
def test_a_second_unfounded_answer_fails_the_job_and_leaves_the_extractive_analysis(
    run: Any, rows: Any, model_server: Any, answers: Any, contexts: Any, changed: dict[str, Any], fault: str
) -> None:
    model_server.script.extend([answers(content={**GOOD["analyze"], **changed})] * 2)
    with pytest.raises(Unfounded) as raised:
        run()
    assert fault in str(raised.value)
    (overlay,) = rows("SELECT * FROM story_overlays")
    assert (overlay["analysis_state"], overlay["confidence"]) == ("extractive", None)
    assert overlay["citations"]["analysis"]["provider"] == "local"
    assert fault not in str(overlay)
    assert len(contexts[0].sent) == 3
    assert not contexts[0].completed
    assert rows("SELECT key FROM ai_answers") == []


def test_what_was_remembered_before_passes_the_gate_again(run: Any, rows: Any, model_server: Any, conn: Any) -> None:
    _, story = run()
    execute(conn, "UPDATE ai_answers SET answer = jsonb_set(answer, '{answer,why_it_matters}', '\"It cost $9.\"')")
    run(story=story)
    assert len(model_server.asked) == 2
    assert "$9" not in str(rows("SELECT * FROM story_overlays"))


def test_the_key_is_sent_and_never_shown(run: Callable[..., Any], model_server: Any, rows: Callable[..., Any]) -> None:
    model_server.script.append(lambda _: (401, {}, {"error": {"message": "no"}}))
    with pytest.raises(Reject) as raised:
        run()
    assert model_server.asked[0]["headers"]["authorization"] == "Bearer sk-secret"
    settings = Settings.model_validate({"provider": "openai", "openai": {"model": "m", "api_key": "sk-secret"}})
    assert "sk-secret" not in repr(settings) + str(raised.value) + json.dumps(rows(CALLS), default=str)


@pytest.mark.parametrize(("answer_format", "prefix"), [("json_object", ""), ("text", "Here you are:\n```json\n")])
def test_a_server_without_strict_schemas_is_stepped_down_to_as_configured(
    run: Any, model_server: Any, answers: Any, answer_format: str, prefix: str
) -> None:
    model_server.script.append(answers(content=prefix + json.dumps(GOOD["analyze"])))
    assert run(answer_format=answer_format, output_limit="max_tokens")[0]["chili"] == 3
    body = model_server.asked[0]["body"]
    sent = {key: value for key, value in body.items() if key.startswith("max_")}
    assert sent == {"max_tokens": 2000}, "for analysis, brief and summary"
    assert body.get("response_format") == ({"type": "json_object"} if answer_format == "json_object" else None)
    assert '"why_it_matters"' in body["messages"][0]["content"]
    assert "temperature" not in body


@pytest.mark.parametrize(("told", "given", "verdict"), [(1536, 1536, None), (768, 768, None), (1536, 1024, Reject)])
def test_vectors_are_padded_and_wrong_dimensions_refused(
    run: Any, model_server: Any, rows: Any, told: int, given: int, verdict: type[Exception] | None
) -> None:
    model_server.vector_size = given
    options = {"embedding_model": "e", "embedding_dimensions": told, "trigger": "manual"}
    if verdict:
        with pytest.raises(verdict, match=f"expected an embedding of {told} numbers, got {given}"):
            run(**options)
        assert rows("SELECT story_id FROM story_overlays") == []
    else:
        _, story = run(**options)
        run(story=story, **options)
        (stored,) = rows("SELECT model_version, vector_dims(embedding) AS size FROM story_embeddings")
        assert stored == {"model_version": f"e@{told}", "size": 1536}
