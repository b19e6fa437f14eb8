"""If the embeddings of similar stories are not near enough, a model says whether the stories report one event."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest

from actors.ai import Settings
from actors.ai.protocol import Unfounded
from actors.insights.events import sketch
from actors.store import clusters
from tests.actors.ai.conftest import ModelServer, analyst
from tests.actors.conftest import StrictContext
from tests.actors.database import execute
from tests.actors.insights.conftest import EVENTS
from zeke_jobs import Retry
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.testing import FakeContext

AGROUND = "The ferry Marisol ran aground off Castel Norre on Tuesday with 212 people on board. Nobody was hurt, said Blue Strait."
ASHORE = "Travellers of the Marisol spent a night on a sandbank. Blue Strait promised refunds to all who reached Castel Norre late."
ELECTRIC = "Blue Strait will sail electric ships to Castel Norre in two years. The pier gets plugs, and the fleet fewer funnels."
CALLS = "SELECT prompt, model_asked, outcome FROM ai_calls WHERE operation = 'same_event'"
PRICES = {"m": {"input": 1.0, "output": 10.0}}


def first(text: str) -> str:
    return text.split(". ", maxsplit=1)[0]


def says(number: int, quote: str = first(AGROUND), other: str = first(ASHORE)) -> Any:
    return {"quote": quote, "other": number, "other_quote": other}


def right(asked: str) -> Any:
    """Answer correctly: only AGROUND and ASHORE report the same event."""
    story, *others = re.findall(r"Source: .*\n\n(.*)\n===", asked)
    same = [other for other in others if {story, other} == {AGROUND, ASHORE}]
    return says(others.index(same[0]) + 1, first(story), first(same[0])) if same else says(0, first(story), "")


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as running:
        running.says["same_event"] = right
        yield running


@pytest.fixture
def tell(add_story: Any, analyse: Any, model: ModelServer) -> Callable[..., tuple[UUID, list[Any]]]:
    """Add a story and analyse it locally; return its id, and the payloads of jobs that ask a model for its event."""

    def go(text: str, **openai: Any) -> tuple[UUID, list[Any]]:
        story, ai = add_story(text, title=" ".join(text.split()[:4])), Settings().open()
        ai.same_event = analyst(model.url, **openai).same_event
        return story, [one.payload for one in analyse(story, ai=ai).sent if one.task == "analyze-story"]

    return go


@pytest.fixture
def ask(run_task: Any, model: ModelServer) -> Callable[..., Any]:
    """Run analyze-story, which asks the model whether stories report the same event; return the job's context."""
    return lambda payload, **openai: run_task("analyze-story", payload, ai=analyst(model.url, prices=PRICES, **openai))


def test_a_model_finds_the_event_that_a_story_tells_in_other_words(tell: Any, ask: Any, rows: Any) -> None:
    (aground, _), (electric, _), (ashore, (payload,)) = tell(AGROUND), tell(ELECTRIC), tell(ASHORE)
    assert payload["others"] == [str(aground), str(electric)], "the most similar first"
    ctx = ask(payload)
    assert ctx.output == {"outcome": "rescored", "stories": 2}
    together = rows("SELECT id FROM stories WHERE cluster_id IS NOT NULL")
    assert {row["id"] for row in together} == {str(aground), str(ashore)}
    assert rows(CALLS) == [{"prompt": "same_event/1", "model_asked": "m", "outcome": "ok"}]
    assert float(ctx.cost) == 1000 * 1e-6 + 100 * 10e-6
    ask({"story_id": aground, "trigger": "alone", "others": [str(ashore)]})
    assert rows(EVENTS) == [{"metrics": {"stories": 2, "sources": 2}}], "both may ask for each other"


NOTHING = {
    "none": (says(0), nullcontext()),
    "too high a number": (says(3), pytest.raises(Unfounded)),
    "too low a number": (says(-1), pytest.raises(Unfounded)),
    "no quote of the story": (says(1, quote="The ferry Marisol sank"), pytest.raises(Unfounded)),
    "no quote of the other": (says(1, other="The ferry Marisol ran aground"), pytest.raises(Unfounded)),
    "no JSON": ("They are the same.", pytest.raises(Retry)),
}


@pytest.mark.parametrize(("said", "ends"), NOTHING.values(), ids=NOTHING)
def test_an_answer_of_no_story_joins_nothing(tell: Any, ask: Any, rows: Any, model: Any, said: Any, ends: Any) -> None:
    model.says["same_event"] = said
    tell(ASHORE)
    _, (payload,) = tell(AGROUND)
    with ends:
        ask(payload)
    assert rows(EVENTS) == []


def test_a_retry_does_not_pay_again_for_an_answer(tell: Any, ask: Any, rows: Any, model: ModelServer) -> None:
    tell(AGROUND)
    _, (payload,) = tell(ASHORE)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(StrictContext, "fail_at_commit", True)
        ask(payload)
    tell(ELECTRIC)
    ask(payload)
    assert (len(model.asked), len(rows(EVENTS))) == (1, 1)


def test_a_setting_names_a_cheaper_model_or_switches_the_question_off(tell: Any, ask: Any, rows: Any) -> None:
    aground, _ = tell(AGROUND, same_event=False)
    terms = {row["term"] for row in rows("SELECT term FROM story_terms")}
    assert terms == set(sketch(f"The ferry Marisol ran\n{AGROUND}")), "without names"
    ashore, jobs = tell(ASHORE, same_event=False)
    assert jobs == []
    payload = {"story_id": ashore, "trigger": "alone", "others": [aground]}
    ask(payload, same_event=False)
    assert rows(CALLS) == []
    ask(payload, same_event="small")
    assert [row["model_asked"] for row in rows(CALLS)] == ["small"]


def test_five_stories_of_different_events_are_asked_about(tell: Any, ask: Any, conn: Any, model: ModelServer) -> None:
    stories = [tell(f"{ELECTRIC} Report {number} of {number}x.")[0] for number in range(7)]
    execute(conn, "DELETE FROM story_clusters")
    ashore, (payload,) = tell(ASHORE)
    assert len(payload["others"]) == 5 == len({*payload["others"]} & {*map(str, stories)})
    execute(conn, "DELETE FROM stories WHERE id = %s", ashore)
    clusters.unite(conn, stories)
    _, (payload,) = tell(ASHORE)
    assert len(payload["others"]) == 1
    execute(conn, "DELETE FROM stories WHERE id = %s", payload["others"][0])
    assert ask(payload).output["outcome"] == "unchanged"
    assert model.asked == []


def test_an_analysis_stays_if_old_code_refuses_the_question(tell: Any, monkeypatch: Any, rows: Any) -> None:
    def send(_: Any, task: str, *__: Any, **___: Any) -> None:
        if task == "analyze-story":
            raise InvalidPayload("trigger: expected auto, manual, retry or grown, got alone")

    tell(AGROUND)
    monkeypatch.setattr(FakeContext, "send", send)
    tell(ASHORE)
    assert rows("SELECT analysis_state AS state FROM story_overlays") == [{"state": "extractive"}] * 2
